// Renews the rows of a list that changes by itself, while nobody has ticked any of them.
"use strict";
{
  const EVERY_MS = 5000;

  const rows = (page) => page.querySelector("#result_list");
  const isTicked = () => document.querySelector("#result_list .action-select:checked") !== null;

  async function renew() {
    if (rows(document) && !document.hidden && !isTicked()) {
      try {
        const answer = await fetch(location.href);
        const newer = rows(new DOMParser().parseFromString(await answer.text(), "text/html"));
        if (answer.ok && newer && !isTicked()) rows(document).replaceWith(newer);
      } catch {
        // The server is away for a moment: the next time asks again.
      }
    }
    setTimeout(renew, EVERY_MS);
  }

  document.addEventListener("DOMContentLoaded", () => setTimeout(renew, EVERY_MS));
}
