// Suggests the architectures of the chosen source, and says how the chosen one is fed.
"use strict";
document.addEventListener("DOMContentLoaded", () => {
  const field = document.querySelector("[data-architecture]");
  const source = document.querySelector("select[name=source]");
  if (!field || !source) return;
  const note = document.createElement("p");
  note.className = "iri-fed";
  note.setAttribute("aria-live", "polite");
  field.insertAdjacentElement("afterend", note);

  const show = () => {
    const list = document.getElementById(`architectures-${source.value}`);
    if (list) field.setAttribute("list", list.id);
    else field.removeAttribute("list");
    const known = list ? [...list.options].find((option) => option.value === field.value) : null;
    note.textContent = known ? known.textContent : list && !field.value ? `${list.options.length} to choose from` : "";
  };
  source.addEventListener("change", show);
  field.addEventListener("input", show);
  show();
});
