// Moves the progress bars of the job pages, and shows new IRIs, without reloading them.
"use strict";
{
  const EVERY_MS = 2000;

  async function poll() {
    const bars = [...document.querySelectorAll(".iri-progress[data-job]")];
    if (bars.length > 0 && !document.hidden) {
      const ids = [...new Set(bars.map((bar) => bar.dataset.job))];
      try {
        const answer = await fetch(`/admin/progress/?jobs=${ids.join(",")}`);
        if (answer.ok && show(bars, (await answer.json()).jobs)) await renewGallery();
      } catch {
        // The server is away for a moment: the next poll asks again.
      }
    }
    setTimeout(poll, EVERY_MS);
  }

  // Whether any job has more or fewer IRIs done than the page shows.
  function show(bars, jobs) {
    const byId = new Map(jobs.map((job) => [String(job.job), job]));
    let isStale = false;
    for (const bar of bars) {
      const job = byId.get(bar.dataset.job);
      if (!job) continue;
      bar.querySelector("progress").value = job.done_share * Math.max(job.total, 1);
      bar.querySelector("[data-text]").textContent = job.text;
      isStale ||= bar.dataset.done !== String(job.done);
      bar.dataset.done = job.done;
    }
    return isStale;
  }

  async function renewGallery() {
    const gallery = document.querySelector(".iri-gallery");
    if (!gallery) return;
    const answer = await fetch(location.href);
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const newer = page.querySelector(".iri-gallery");
    if (answer.ok && newer) gallery.replaceWith(newer);
  }

  document.addEventListener("DOMContentLoaded", poll);
}
