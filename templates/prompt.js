// Fields of a prompt are copied with a button; without a script they are text that can be selected.
"use strict";
(() => {
  const buttons = [...document.querySelectorAll("button[data-copy]")];

  // Pages from a disk have no clipboard of their own in some browsers; there, what is selected can be copied.
  async function copied(field) {
    try {
      await navigator.clipboard.writeText(field.value);
      return true;
    } catch {
      field.focus();
      field.select();
      return document.execCommand("copy");
    }
  }

  async function copy(button) {
    const field = document.getElementById(button.dataset.copy);
    const note = button.closest(".prompt").querySelector(".copied");
    const name = button.getAttribute("aria-label").replace(/^Copy /, "");
    note.textContent = (await copied(field)) ? `Copied: ${name}.` : "It is selected: copy it with the keyboard.";
  }

  for (const button of buttons) {
    button.hidden = false;
    button.addEventListener("click", () => copy(button));
  }
})();
