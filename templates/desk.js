// The mix desk on a track's page: what a platform does to the level is heard in the page's player, and a link to a
// folded piece of advice unfolds it.
"use strict";
(() => {
  const player = document.querySelector("[data-player]");
  const audio = player?.querySelector("audio");
  const buttons = [...document.querySelectorAll(".hear")];
  const now = document.querySelector(".hear-now");

  // The gain of a button that is pressed; none when it is pressed again.
  function choose(button) {
    const isOn = button !== null && button.getAttribute("aria-pressed") !== "true";
    for (const one of buttons) one.setAttribute("aria-pressed", String(isOn && one === button));
    const { gain, as, words } = button.dataset;
    const db = isOn ? Number(gain) : 0;
    player.dispatchEvent(new CustomEvent("gain", { detail: { db, label: isOn ? as : "" } }));
    now.textContent = !isOn ? "The player is at its own volume again."
      : hasVolume(db) ? `${as}: ${words}.` : "This browser does not let a page set the volume: use another to hear it.";
  }

  // Safari on iPhones leaves the volume at 1, whatever a page sets.
  function hasVolume(db) {
    return db === 0 || audio.volume < 1;
  }

  if (audio && now) {
    for (const one of document.querySelectorAll(".hear, .hear-plain, .hear-note")) one.hidden = false;
    for (const one of buttons) one.addEventListener("click", () => choose(one));
  }

  function unfold() {
    const id = location.hash.slice(1); // our own are letters, digits and dashes
    for (let one = id && document.getElementById(id); one; one = one.parentElement) if (one.tagName === "DETAILS") one.open = true;
  }
  addEventListener("hashchange", unfold);
  unfold();
})();
