// Replaces the live parts of a page by the server's newest, without reloading the page.
"use strict";
{
  const EVERY_MS = 4000;

  function follow(live) {
    let shown;

    async function poll() {
      if (!document.hidden && !isHeld(live)) {
        try {
          const answer = await fetch(live.dataset.live, { headers: { "X-Live": live.dataset.part ?? "1" } });
          if (answer.ok && !isHeld(live)) {
            const text = await answer.text();
            if (text !== shown) {
              shown = text;
              show(text);
            }
          }
        } catch {
          // The server is away for a moment: the next poll asks again.
        }
      }
      setTimeout(poll, EVERY_MS);
    }

    function show(text) {
      const open = [...live.querySelectorAll("details")].map((details) => details.open);
      live.replaceChildren(...new DOMParser().parseFromString(text, "text/html").body.childNodes);
      live.querySelectorAll("details").forEach((details, place) => (details.open = open[place] ?? false));
      live.dispatchEvent(new CustomEvent("live:shown", { bubbles: true }));
    }

    setTimeout(poll, EVERY_MS);
  }

  // Rows that somebody is choosing from must not move under the pointer.
  function isHeld(live) {
    return live.querySelector("input:checked, input:focus") !== null;
  }

  document.querySelectorAll("[data-live]").forEach(follow);
}
