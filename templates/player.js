// The player of a track's page. Without this script the page has the browser's own player; with it, whatever shows
// a time moves there when it is clicked, a play-head moves on every chart over time, and keys work.
"use strict";
(() => {
  const player = document.querySelector("[data-player]");
  const audio = player?.querySelector("audio");
  // Of all players that a page may have, one plays.
  document.addEventListener("play", (event) => {
    for (const other of document.querySelectorAll("audio, video")) if (other !== event.target) other.pause();
  }, true);
  if (!audio) return;

  const SKIP_S = 5;
  const duration = Number(player.dataset.seconds);
  const find = (selector) => player.querySelector(selector);
  const [bar, play, now, part, help, dialog] = ["bar", "play", "now", "part", "help", "keys"]
    .map((name) => find(`.player-${name}`));
  const volume = find(".player-volume input");
  const isStill = matchMedia("(prefers-reduced-motion: reduce)");
  const parts = [...player.querySelectorAll("[data-section]")];
  const beats = times(player.dataset.beats);
  const bars = times(player.dataset.bars);

  // Steps in hundredths of a second, one after the other, as seconds from the beginning.
  function times(steps) {
    let sum = 0;
    return (steps ?? "").split(" ").filter(Boolean).map((step) => (sum += Number(step)) / 100);
  }

  // As m:ss, or as m:ss.t; with hours where there are some.
  function clock(seconds, tenths = false) {
    const all = tenths ? Math.floor(seconds * 10 + 1e-6) / 10 : Math.round(seconds);
    const [hours, minutes, rest] = [Math.floor(all / 3600), Math.floor(all / 60) % 60, all % 60];
    const tail = tenths ? rest.toFixed(1).padStart(4, "0") : String(rest).padStart(2, "0");
    return hours ? `${hours}:${String(minutes).padStart(2, "0")}:${tail}` : `${minutes}:${tail}`;
  }

  // --- Where in the drawing a time is, and which time is where in the drawing.

  // An element with `data-duration` shows time from left to right: an SVG from `data-left` to `data-right` in the units
  // of its viewBox, anything else over its whole width.
  function surface(element) {
    const box = element.viewBox?.baseVal;
    const scale = box && box.width ? box : null;
    const left = scale ? Number(element.dataset.left ?? box.x) : 0;
    const right = scale ? Number(element.dataset.right ?? box.x + box.width) : 1;
    const length = Number(element.dataset.duration) || duration;
    const isSvg = element instanceof SVGElement;
    const head = isSvg ? document.createElementNS("http://www.w3.org/2000/svg", "line") : document.createElement("div");
    head.setAttribute("class", "playhead");
    if (isSvg) head.setAttribute("y2", "100%");
    element.classList.add("seekable");
    element.append(head);
    return {
      element,
      timeAt(clientX) {
        const matrix = scale ? element.getScreenCTM() : null;
        const frame = element.getBoundingClientRect();
        const x = matrix ? (clientX - matrix.e) / matrix.a : (clientX - frame.left) / frame.width;
        return Math.min(1, Math.max(0, (x - left) / (right - left))) * length;
      },
      show(time) {
        const x = left + (right - left) * Math.min(1, time / length);
        const at = scale ? String(x) : `${100 * x}%`;
        if (!isSvg) head.style.left = at;
        else for (const end of ["x1", "x2"]) head.setAttribute(end, at);
      },
    };
  }

  const surfaces = [...document.querySelectorAll("[data-duration]")].map(surface);

  // --- Showing.

  function partAt(time) {
    return parts.findLast((one) => Number(one.dataset.time) <= time + 0.01);
  }

  let shownPart = null;
  function show() {
    const time = Math.min(audio.currentTime, duration);
    for (const one of surfaces) one.show(time);
    now.textContent = clock(time, true);
    const current = partAt(time) ?? null;
    if (current !== shownPart) {
      shownPart?.removeAttribute("aria-current");
      current?.setAttribute("aria-current", "true");
      part.textContent = current?.getAttribute("aria-label") ?? "";
      shownPart = current;
    }
    const words = `${clock(time)} of ${clock(duration)}`;
    if (slider && slider.getAttribute("aria-valuetext") !== words) {
      slider.setAttribute("aria-valuenow", time.toFixed(0));
      slider.setAttribute("aria-valuetext", words);
    }
  }

  // Smooth while it plays, unless the reader asked for little motion: then the four times a second of `timeupdate`.
  function follow() {
    show();
    if (!audio.paused && !isStill.matches) requestAnimationFrame(follow);
  }

  function showState() {
    play.setAttribute("aria-pressed", String(!audio.paused));
    play.setAttribute("aria-label", audio.paused ? "Play" : "Pause");
    follow();
  }

  // --- Doing.

  function seek(time) {
    // Not the very end: there a browser would stop and begin again.
    audio.currentTime = Math.min(Math.max(0, time), Math.max(0, duration - 0.05));
    show();
  }

  // A click is worth a link; a drag would be a hundred.
  function seekForGood(time) {
    seek(time);
    history.replaceState(null, "", `#t=${audio.currentTime.toFixed(2)}`);
  }

  function toggle() {
    if (audio.paused) audio.play().catch(showTrouble);
    else audio.pause();
  }

  function showTrouble(error) {
    if (error.name !== "AbortError") part.textContent = "This browser cannot play the preview.";
  }

  // A gain beside the listener's own volume: that of a platform, from `desk.js`. A browser only turns down.
  let gain = 1;
  function setVolume() {
    audio.volume = gain * Number(volume.value);
  }

  function takeGain({ db, label }) {
    gain = Math.min(1, 10 ** (db / 20));
    setVolume();
    let shown = find(".player-gain");
    if (!shown) {
      shown = document.createElement("span");
      shown.className = "player-gain label";
      part.after(shown);
    }
    shown.textContent = label;
    shown.hidden = !label;
    if (label && audio.paused) toggle();
  }

  // To the mark before or behind the present time; just behind a mark, "before" means the one before that.
  function step(marks, direction) {
    const time = audio.currentTime;
    const mark = direction > 0 ? marks.find((one) => one > time + 0.02)
      : marks.findLast((one) => one < time - (audio.paused ? 0.02 : 0.3));
    seek(mark ?? (direction > 0 ? time : 0));
  }

  // --- Pointer.

  document.addEventListener("click", (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
    const timed = event.target.closest("[data-time]");
    if (timed) {
      event.preventDefault();
      seekForGood(Number(timed.dataset.time));
    }
  });
  for (const one of surfaces) {
    one.element.addEventListener("click", (event) => {
      if (!event.target.closest("[data-time], a, button")) seekForGood(one.timeAt(event.clientX));
    });
    one.element.addEventListener("pointerdown", (event) => {
      if (event.button === 0 && !event.target.closest("[data-time], a, button")) {
        event.preventDefault(); // or dragging would mark text
        one.element.setPointerCapture(event.pointerId);
        slider?.focus({ preventScroll: true, focusVisible: false });
      }
    });
    one.element.addEventListener("pointermove", (event) => {
      if (one.element.hasPointerCapture(event.pointerId)) seek(one.timeAt(event.clientX));
    });
  }

  // --- Keys.

  const KEYS = {
    " ": toggle,
    ArrowLeft: (shift) => (shift && (bars.length || beats.length) ? step(bars.length ? bars : beats, -1) : seek(audio.currentTime - SKIP_S)),
    ArrowRight: (shift) => (shift && (bars.length || beats.length) ? step(bars.length ? bars : beats, 1) : seek(audio.currentTime + SKIP_S)),
    ",": () => step(beats, -1),
    ".": () => step(beats, 1),
    Home: () => seek(0),
    End: () => seek(duration),
    m: () => { audio.muted = !audio.muted; },
    "?": () => dialog.showModal(),
  };

  function isMeantForOther(event) {
    const { target, key } = event;
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return true;
    if (target.closest("input, textarea, select, [contenteditable], [role=region]")) return true;
    if (key === " ") return Boolean(target.closest("button, a, summary"));
    // Elsewhere these two scroll the page.
    if (key === "Home" || key === "End") return audio.paused && !player.contains(target);
    return false;
  }

  document.addEventListener("keydown", (event) => {
    if (isMeantForOther(event)) return;
    const section = /^[1-9]$/.test(event.key) ? document.querySelector(`[data-section="${event.key}"][data-time]`) : null;
    const act = section ? () => seek(Number(section.dataset.time)) : KEYS[event.key.length > 1 ? event.key : event.key.toLowerCase()];
    if (!act) return;
    event.preventDefault();
    act(event.shiftKey);
  });

  // --- Beginning.

  const slider = find(".player-seek");
  if (slider) {
    const facts = { role: "slider", tabindex: 0, "aria-label": "Position", "aria-valuemin": 0, "aria-valuemax": duration.toFixed(0) };
    for (const [name, value] of Object.entries(facts)) slider.setAttribute(name, value);
  }
  audio.controls = false;
  bar.hidden = false;
  play.addEventListener("click", toggle);
  help.addEventListener("click", () => dialog.showModal());
  volume.addEventListener("input", setVolume);
  player.addEventListener("gain", (event) => takeGain(event.detail));
  for (const name of ["play", "pause", "ended"]) audio.addEventListener(name, showState);
  for (const name of ["timeupdate", "seeked"]) audio.addEventListener(name, show);
  audio.addEventListener("error", () => showTrouble(audio.error ?? {}));

  function seekToAddress() {
    const found = /^#t=([0-9]+(?:\.[0-9]+)?)$/.exec(location.hash);
    if (found) seek(Number(found[1]));
    else show();
  }
  addEventListener("hashchange", seekToAddress);
  seekToAddress();
})();
