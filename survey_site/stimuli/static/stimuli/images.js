// Ticks all images of a page at once, and reads a waiting ZIP on without clicks.
"use strict";
{
  for (const hidden of document.querySelectorAll("[data-needs-script]")) hidden.hidden = false;

  const all = document.querySelector("[data-tick-all]");
  all?.addEventListener("change", () => {
    for (const box of document.querySelectorAll("input[name=image]")) box.checked = all.checked;
  });

  // The report of an upload whose ZIP is not read to its end: read on until it is.
  const goOn = document.querySelector("form[data-go-on]");
  goOn?.addEventListener("submit", async (event) => {
    if (event.submitter?.name === "discard") return;
    event.preventDefault();
    event.submitter.disabled = true;
    const data = new FormData(goOn);
    data.delete("report");
    for (;;) {
      const answer = await fetch(goOn.action, { method: "POST", body: data }).catch(() => null);
      const counts = answer?.ok ? await answer.json() : null;
      if (!counts || counts.read >= counts.entries) break;
      goOn.querySelector("[data-said]").textContent = `${counts.read} of ${counts.entries} files of the ZIP are read.`;
    }
    location.reload();
  });
}
