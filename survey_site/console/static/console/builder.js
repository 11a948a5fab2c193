// Asks what the form as it stands comes to, whenever it changes; a later question overtakes an earlier one.
"use strict";
{
  const form = document.querySelector("form[data-outlook]");
  const shown = document.getElementById("builder-outlook");
  const WAIT_MS = 350;
  let timer = 0;
  let asked = 0;

  async function ask() {
    const number = ++asked;
    shown.setAttribute("aria-busy", "true");
    try {
      const answer = await fetch(form.dataset.outlook, { method: "POST", body: new FormData(form) });
      if (number !== asked) return;
      if (answer.ok) {
        const parsed = new DOMParser().parseFromString(await answer.text(), "text/html");
        shown.replaceChildren(...parsed.body.childNodes);
      }
    } catch {
      // The server is away for a moment: the next change asks again.
    }
    if (number === asked) shown.removeAttribute("aria-busy");
  }

  form?.addEventListener("input", (event) => {
    if (event.target.name === "shown-format") {
      form.elements["shown-n_options"].value = { two_afc: 2, odd_one_out: 3, matching: 3, classification: 4 }[event.target.value];
    }
    clearTimeout(timer);
    timer = setTimeout(ask, WAIT_MS);
  });
}
