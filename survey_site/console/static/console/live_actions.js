// The live page's actions: only the fields that the action asks for, and how many sessions are selected.
"use strict";
{
  const form = document.querySelector("[data-live-actions]");

  function showFields() {
    const action = form.elements.action;
    const needs = (action.selectedOptions[0]?.dataset.needs ?? "").split(" ");
    for (const label of form.querySelectorAll("[data-field]")) {
      label.hidden = !needs.includes(label.dataset.field);
      label.querySelector("input, select").disabled = label.hidden;
    }
  }

  function boxes() {
    return [...form.querySelectorAll("input[name=sessions]")];
  }

  function count() {
    const all = boxes();
    const n = all.filter((box) => box.checked).length;
    form.querySelector("[data-selected]").textContent = n === 0 ? "" : `${n} selected; the table stands still`;
    const selectAll = form.querySelector("[data-select-all]");
    if (selectAll) {
      selectAll.hidden = false;
      selectAll.checked = n > 0 && n === all.length;
      selectAll.indeterminate = n > 0 && n < all.length;
    }
  }

  if (form) {
    form.addEventListener("change", (event) => {
      if (event.target.name === "action") showFields();
      if (event.target.matches("[data-select-all]")) {
        for (const box of boxes()) box.checked = event.target.checked;
      }
      count();
    });
    form.addEventListener("live:shown", count);
    showFields();
    count();
  }
}
