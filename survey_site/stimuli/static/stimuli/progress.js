// Moves the progress bars of the job pages without reloading them.
"use strict";
{
  const EVERY_MS = 2000;

  async function poll() {
    const bars = [...document.querySelectorAll(".iri-progress[data-job]")];
    if (bars.length > 0 && !document.hidden) {
      const ids = [...new Set(bars.map((bar) => bar.dataset.job))];
      try {
        const answer = await fetch(`/admin/progress/?jobs=${ids.join(",")}`);
        if (answer.ok) show(bars, (await answer.json()).jobs);
      } catch {
        // The server is away for a moment: the next poll asks again.
      }
    }
    setTimeout(poll, EVERY_MS);
  }

  function show(bars, jobs) {
    const byId = new Map(jobs.map((job) => [String(job.job), job]));
    for (const bar of bars) {
      const job = byId.get(bar.dataset.job);
      if (!job) continue;
      bar.querySelector("progress").value = job.done_share * Math.max(job.total, 1);
      bar.querySelector("[data-text]").textContent = job.text;
    }
  }

  document.addEventListener("DOMContentLoaded", poll);
}
