// Replaces the live part of a page by the server's newest, without reloading the page.
"use strict";
{
  const live = document.querySelector("[data-live]");
  const EVERY_MS = 4000;

  async function poll() {
    if (!document.hidden) {
      try {
        const answer = await fetch(live.dataset.live, { headers: { "X-Live": "1" } });
        if (answer.ok) {
          const text = await answer.text();
          if (text !== live.dataset.shown) {
            live.dataset.shown = text;
            const open = [...live.querySelectorAll("details")].map((details) => details.open);
            live.replaceChildren(...new DOMParser().parseFromString(text, "text/html").body.childNodes);
            live.querySelectorAll("details").forEach((details, place) => (details.open = open[place] ?? false));
          }
        }
      } catch {
        // The server is away for a moment: the next poll asks again.
      }
    }
    setTimeout(poll, EVERY_MS);
  }

  if (live) setTimeout(poll, EVERY_MS);
}
