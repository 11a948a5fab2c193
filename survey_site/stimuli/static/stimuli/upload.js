// Adds photographs, folders and ZIPs to an image set, in requests small enough to be repeated.
"use strict";
{
  const form = document.querySelector("form[data-upload]");
  const part = (name) => form.querySelector(`[data-${name}]`);
  const drop = part("drop");
  const bar = form.querySelector("progress");
  const token = form.querySelector("[name=csrfmiddlewaretoken]").value;
  const MOST_FILES = Number(form.dataset.batchFiles);
  const BATCH_BYTES = Number(form.dataset.batchBytes);
  const MOST_BYTES = Number(form.dataset.mostBytes);
  const TRIES = 6;
  const MOST_REFUSALS = 200; // on this page; the report has all

  let chosen = new Map(); // path -> file
  let isStopped = false;

  for (const hidden of form.querySelectorAll("[data-needs-script]")) hidden.hidden = false;

  // Choosing ------------------------------------------------------------------------------------------

  const size = (bytes) => (bytes < 1e6 ? `${Math.ceil(bytes / 1e3)} kB` : `${(bytes / 1e6).toFixed(bytes < 1e7 ? 1 : 0)} MB`);
  const folderOf = (path) => path.slice(0, Math.max(path.lastIndexOf("/"), 0));
  const isSystemFile = (path) => path.split("/").some((name) => name.startsWith(".") || /^(thumbs\.db|desktop\.ini|__macosx)$/i.test(name));
  const isZip = (path) => /\.zip$/i.test(path);

  function choose(files) {
    for (const [path, file] of files) if (!isSystemFile(path)) chosen.set(path, file);
    showChosen();
  }

  function showChosen() {
    const bytes = [...chosen.values()].reduce((sum, file) => sum + file.size, 0);
    const folders = new Set([...chosen.keys()].map(folderOf).filter(Boolean));
    const inFolders = folders.size ? ` in ${folders.size} ${folders.size === 1 ? "folder" : "folders"}` : "";
    const names = [...chosen.keys()].slice(0, 4).join(", ");
    const more = chosen.size > 4 ? ` and ${chosen.size - 4} more` : "";
    part("chosen").textContent = chosen.size
      ? `${chosen.size} ${chosen.size === 1 ? "file" : "files"}${inFolders}, ${size(bytes)}: ${names}${more}`
      : "";
    part("clear").hidden = chosen.size === 0;
    part("trouble").textContent = "";
  }

  drop.classList.add("has-script");
  for (const input of form.querySelectorAll("input[type=file]")) {
    input.hasChangeListener = true; // Unfold's own would look for its own field to name the first file in
    input.addEventListener("change", () => {
      choose([...input.files].map((file) => [file.webkitRelativePath || file.name, file]));
      input.value = ""; // the line below says what is chosen, from both fields and by dropping
    });
  }

  part("clear").addEventListener("click", () => {
    chosen = new Map();
    showChosen();
    form.querySelector("input[type=file]").focus();
  });

  // Dropping ------------------------------------------------------------------------------------------

  for (const kind of ["dragenter", "dragover"])
    drop.addEventListener(kind, (event) => {
      event.preventDefault();
      drop.classList.add("is-over");
    });
  drop.addEventListener("dragleave", (event) => {
    if (!drop.contains(event.relatedTarget)) drop.classList.remove("is-over");
  });
  drop.addEventListener("drop", async (event) => {
    event.preventDefault();
    drop.classList.remove("is-over");
    // Entries must be asked for before the first await: the list is empty afterwards.
    const entries = [...event.dataTransfer.items].map((item) => item.webkitGetAsEntry()).filter(Boolean);
    part("chosen").textContent = "Reading the folders …";
    part("send").disabled = true;
    try {
      for (const entry of entries) choose(await filesIn(entry, ""));
    } catch (error) {
      part("trouble").textContent = `A folder cannot be read: ${error.message}`;
    } finally {
      part("send").disabled = false;
    }
  });
  // Beside the field a dropped file would open in place of this page.
  for (const kind of ["dragover", "drop"]) window.addEventListener(kind, (event) => event.preventDefault());

  async function filesIn(entry, folder) {
    const path = folder ? `${folder}/${entry.name}` : entry.name;
    if (entry.isFile) return [[path, await new Promise((found, failed) => entry.file(found, failed))]];
    const reader = entry.createReader();
    const found = [];
    for (;;) {
      // A reader gives a hundred at a time, and none at the end.
      const some = await new Promise((given, failed) => reader.readEntries(given, failed));
      if (some.length === 0) return found;
      for (const inner of some) found.push(...(await filesIn(inner, path)));
    }
  }

  // Sending -------------------------------------------------------------------------------------------

  function batches() {
    const made = [];
    let batch = [];
    let bytes = 0;
    for (const [path, file] of [...chosen].sort(([a], [b]) => (a < b ? -1 : 1))) {
      const isFull = batch.length >= MOST_FILES || bytes + file.size > BATCH_BYTES;
      if (batch.length && isFull) {
        made.push(batch);
        batch = [];
        bytes = 0;
      }
      batch.push([path, file]);
      bytes += file.size;
    }
    return batch.length ? [...made, batch] : made;
  }

  // A failed request is sent again: the server knows each file by its bytes and takes it once.
  async function post(address, data, onSent = () => {}) {
    for (let attempt = 1; ; attempt += 1) {
      const { status, said } = await request(address, data, onSent);
      if (said && status >= 200 && status < 300) return said;
      const mayPass = status === 0 || status >= 500 || status === 429;
      const reason = said?.error ?? (status ? `the server answers ${status}` : "the server cannot be reached");
      if (!mayPass || attempt === TRIES || isStopped) throw new Error(reason);
      part("said").textContent = `${reason}; trying again …`;
      await new Promise((wake) => setTimeout(wake, 500 * 2 ** attempt));
    }
  }

  // Not fetch, which does not tell how much of a large ZIP is sent.
  function request(address, data, onSent) {
    return new Promise((answered) => {
      const sending = new XMLHttpRequest();
      sending.open("POST", address);
      sending.setRequestHeader("X-CSRFToken", token);
      sending.responseType = "json";
      sending.upload.addEventListener("progress", ({ loaded, total }) => onSent(total ? loaded / total : 0));
      sending.addEventListener("loadend", () => answered({ status: sending.status, said: sending.response }));
      sending.send(data);
    });
  }

  function show(counts, sent, total) {
    const zip = counts.entries ? `, ${counts.read} of ${counts.entries} files of the ZIP read` : "";
    part("said").textContent = `${sent} of ${total} files sent${zip}: ${counts.added} added, ${counts.duplicates} there already, ${counts.refused} refused.`;
    bar.max = total + counts.entries;
    bar.value = sent + counts.read;
    for (const file of counts.files ?? []) if (file.outcome === "refused") showRefusal(file);
  }

  function showSending(batch, share, sent, total, counts) {
    bar.max = total + counts.entries;
    bar.value = sent + counts.read + batch.length * share;
    if (batch.length > 1 || share === 1) return;
    part("said").textContent = `${sent} of ${total} files sent; ${batch[0][0]}: ${Math.floor(100 * share)} % of ${size(batch[0][1].size)}`;
  }

  function showRefusal({ path, reason }) {
    const list = part("refusals");
    if (list.children.length >= MOST_REFUSALS) return;
    const item = document.createElement("li");
    item.textContent = `${path}: ${reason}`;
    list.append(item);
  }

  async function send() {
    const total = chosen.size;
    const images = [...chosen.keys()].filter((path) => !isZip(path));
    const start = new FormData();
    start.append("folders", JSON.stringify([...new Set(images.map(folderOf))]));
    const upload = await post(form.dataset.start, start);
    let sent = 0;
    let counts = { added: 0, duplicates: 0, refused: 0, read: 0, entries: 0 };
    for (const batch of batches()) {
      if (isStopped) break;
      const data = new FormData();
      data.append("paths", JSON.stringify(batch.map(([path]) => path)));
      // A name of ours: the server goes by the path above.
      batch.forEach(([, file], place) => data.append("files", file, `file-${place}`));
      counts = await post(upload.files, data, (share) => showSending(batch, share, sent, total, counts));
      sent += batch.length;
      show(counts, sent, total);
    }
    while (!isStopped && counts.read < counts.entries) {
      counts = await post(upload["go-on"], new FormData());
      show(counts, sent, total);
    }
    window.removeEventListener("beforeunload", warn);
    location.assign(upload.report);
  }

  function warn(event) {
    event.preventDefault();
  }

  function isTooLarge() {
    const large = [...chosen].find(([, file]) => file.size > MOST_BYTES - 1e6);
    if (!large) return false;
    part("trouble").textContent = `${large[0]} has ${size(large[1].size)}; at most ${size(MOST_BYTES)} can be sent at once. Part it, or use the command import_images.`;
    return true;
  }

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    part("trouble").textContent = chosen.size ? "" : "Choose files first: photographs, a folder of them, or a ZIP.";
    if (chosen.size === 0 || isTooLarge()) return;
    isStopped = false;
    part("sending").hidden = part("stop").hidden = false;
    part("send").disabled = part("clear").disabled = true;
    part("refusals").replaceChildren();
    bar.removeAttribute("value");
    part("said").textContent = `Sending ${chosen.size} files …`;
    window.addEventListener("beforeunload", warn);
    try {
      await send();
    } catch (error) {
      part("trouble").textContent = `Stopped: ${error.message}. What came in stays; “Add to the set” sends the same again, and nothing comes in twice.`;
      window.removeEventListener("beforeunload", warn);
      part("send").disabled = part("clear").disabled = false;
      part("stop").hidden = true;
    }
  });

  part("stop").addEventListener("click", () => {
    isStopped = true;
    part("said").textContent = "Stopping after the files that are under way …";
  });
}
