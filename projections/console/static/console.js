// Keys: "/" goes to the search, "g" and a number to a screen, Escape leaves a field.
"use strict";
(() => {
  let waits = false;
  const typing = (spot) => spot.closest("input, textarea, select, [contenteditable]");
  // What looks again by itself waits while somebody is in it with the keyboard.
  document.addEventListener("htmx:beforeRequest", (event) => {
    const spot = event.detail.elt;
    if (spot.hasAttribute("data-polls") && spot.contains(document.activeElement)) event.preventDefault();
  });
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Escape" && typing(event.target)) { event.target.blur(); return; }
    if (typing(event.target)) return;
    if (event.key === "/") {
      const search = document.getElementById("q");
      if (search) { event.preventDefault(); search.focus(); search.select(); }
    } else if (event.key === "g") {
      waits = true;
      setTimeout(() => { waits = false; }, 1500);
    } else if (waits && /^[0-9]$/.test(event.key)) {
      waits = false;
      const links = document.querySelectorAll("nav.screens a");
      const link = links[(Number(event.key) + 9) % 10];
      if (link) link.click();
    }
  });
})();
