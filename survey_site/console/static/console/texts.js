// Shows beside each Markdown field what participants would see of it, as it is typed.
"use strict";
{
  const form = document.querySelector("form[data-preview]");
  const WAIT_MS = 300;
  const timers = new Map();
  const asked = new Map();

  async function show(field, preview) {
    const number = (asked.get(field) ?? 0) + 1;
    asked.set(field, number);
    const body = new FormData();
    body.set("markdown", field.value);
    body.set("csrfmiddlewaretoken", form.elements.csrfmiddlewaretoken.value);
    try {
      const answer = await fetch(form.dataset.preview, { method: "POST", body });
      if (!answer.ok || asked.get(field) !== number) return;
      const parsed = new DOMParser().parseFromString(await answer.text(), "text/html");
      preview.replaceChildren(...parsed.body.childNodes);
    } catch {
      // The server is away for a moment: the next letter asks again.
    }
  }

  form?.addEventListener("input", (event) => {
    const preview = form.querySelector(`[data-of="${event.target.name}"]`);
    if (!preview) return;
    clearTimeout(timers.get(event.target));
    timers.set(event.target, setTimeout(() => show(event.target, preview), WAIT_MS));
  });
}
