// Names all chosen files of an upload field; Unfold's own script names the first.
"use strict";
document.addEventListener("change", ({ target }) => {
  if (!target.matches("input[type=file][multiple]")) return;
  const shown = target.closest("label")?.querySelector("input[type=text]");
  const names = [...target.files].map((file) => file.name);
  shown?.setAttribute("value", names.length > 1 ? `${names.length} files: ${names.join(", ")}` : (names[0] ?? ""));
});
