// Shows what a recipe will minimise while its pieces are changed; the server writes the formula.
"use strict";
{
  const PAUSE_MS = 300;
  const form = document.querySelector("form[data-recipe-form]");
  const shown = form?.querySelector("[data-formula]");
  let timer;
  let asked = 0;

  async function show() {
    const mine = ++asked;
    const data = new FormData(form);
    data.append("preview", "1");
    // A name is needed to store a recipe, not to show it.
    if (!data.get("name")) data.set("name", "–");
    try {
      const answer = await fetch(location.href, { method: "POST", body: data });
      if (answer.ok && mine === asked) shown.innerHTML = await answer.text();
    } catch {
      // The server is away for a moment: the next change asks again.
    }
  }

  if (shown) {
    form.addEventListener("input", () => {
      clearTimeout(timer);
      timer = setTimeout(show, PAUSE_MS);
    });
    show();
  }
}
