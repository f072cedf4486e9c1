// Players of several sounds in step, in one AudioContext, each with a gain: A/B players, which let one of them through,
// and players of stems (`data-mixer`), which let through what is not muted. Sounds are loaded when somebody plays: a
// script each, because a page from a disk may read nothing else into Web Audio.
"use strict";
(() => {
  const FADE_S = 0.01; // short enough for a switch, long enough not to click
  const AHEAD_S = 0.03; // all sources are told to start so much later, so that none is late
  const SKIP_S = 5;
  const SHOW_MS = 100;
  const SAME_S = 0.02; // an MP3 cannot be told to be nearer to a time

  // As m:ss.t, with hours where there are some.
  function clock(seconds) {
    const all = Math.floor(seconds * 10 + 1e-6) / 10;
    const [hours, minutes, rest] = [Math.floor(all / 3600), Math.floor(all / 60) % 60, (all % 60).toFixed(1).padStart(4, "0")];
    return hours ? `${hours}:${String(minutes).padStart(2, "0")}:${rest}` : `${minutes}:${rest.replace(/^0(?=\d\.)/, "0")}`;
  }

  function factor(db) {
    return 10 ** (db / 20);
  }

  function loadScript(address) {
    return new Promise((resolve, reject) => {
      const script = document.createElement("script");
      script.src = address;
      script.addEventListener("load", resolve);
      script.addEventListener("error", reject);
      document.head.append(script);
    });
  }

  function bytesOf(base64) {
    const text = atob(base64);
    const bytes = new Uint8Array(text.length);
    for (let at = 0; at < text.length; at += 1) bytes[at] = text.charCodeAt(at);
    return bytes.buffer;
  }

  // An element with `data-duration` shows time from `data-left` to `data-right`, in the units of its viewBox.
  function surface(element) {
    const [left, right, length] = ["left", "right", "duration"].map((name) => Number(element.dataset[name]));
    const head = document.createElementNS("http://www.w3.org/2000/svg", "line");
    head.setAttribute("class", "playhead");
    head.setAttribute("y2", "100%");
    element.classList.add("seekable");
    element.append(head);
    return {
      element,
      timeAt(clientX) {
        const matrix = element.getScreenCTM();
        return Math.min(1, Math.max(0, ((clientX - matrix.e) / matrix.a - left) / (right - left))) * length;
      },
      show(time) {
        const x = String(left + (right - left) * Math.min(1, time / length));
        for (const end of ["x1", "x2"]) head.setAttribute(end, x);
      },
    };
  }

  function player(section) {
    const isMixer = "mixer" in section.dataset;
    const find = (selector) => section.querySelector(selector);
    const [bar, play, now, slider, state, plain, keys] = ["bar", "play", "now", "seek", "state", "plain", "keys"].map((name) => find(`.ab-${name}`));
    const match = find(".ab-match input");
    const volume = find(".ab-volume input");
    const whole = find("audio.ab-whole"); // the same music as one file: it shares the position
    const surfaces = isMixer ? [...document.querySelectorAll("svg[data-duration]")].map(surface) : [];
    const duration = Number(section.dataset.seconds);
    const sides = [...section.querySelectorAll(isMixer ? ".mixer-stem" : ".ab-side")].map((button) => ({ button, ...button.dataset, isMuted: false, isSolo: false, buffer: null, gain: null, source: null }));
    const levels = sides.map(({ button }) => ({ matched: factor(Number(button.dataset.gain)), raw: factor(Number(button.dataset.raw)) }));
    let context = null;
    let master = null;
    let loading = null;
    let active = 0;
    let isPlaying = false;
    let isDragged = false;
    let from = 0; // position in the sounds at which they were started, or stand still
    let startedAt = 0; // time of the context then

    function say(text) {
      state.textContent = text;
    }

    // --- Loading.

    async function loadSide(side, number) {
      say(`Loading ${side.letter}, ${number} of ${sides.length} …`);
      await loadScript(side.script).catch(() => { throw new Error(`The sound of ${side.letter} cannot be loaded: is the folder “media” beside this page?`); });
      const sounds = globalThis.linerNotesSounds ?? {};
      const base64 = sounds[side.name];
      if (!base64) throw new Error(`There is no sound in the script of ${side.letter}.`);
      delete sounds[side.name]; // it is four thirds of the file, and is not needed again
      say(`Decoding ${side.letter}, ${number} of ${sides.length} …`);
      side.buffer = await context.decodeAudioData(bytesOf(base64)).catch(() => { throw new Error(`This browser cannot decode the sound of ${side.letter}.`); });
      side.gain = new GainNode(context, { gain: 0 });
      side.gain.connect(master);
    }

    async function load() {
      section.setAttribute("aria-busy", "true");
      try {
        context = new AudioContext({ sampleRate: Number(section.dataset.rate) });
        master = new GainNode(context, { gain: 0 });
        master.connect(context.destination);
        for (const [number, side] of sides.entries()) await loadSide(side, number + 1);
      } finally {
        section.removeAttribute("aria-busy");
      }
    }

    // --- Doing.

    function position() {
      return isPlaying ? Math.min(duration, from + Math.max(0, context.currentTime - startedAt)) : from;
    }

    function ramp(param, target, start, seconds = FADE_S) {
      param.cancelScheduledValues(start);
      param.setValueAtTime(param.value, start);
      param.linearRampToValueAtTime(target, start + seconds);
    }

    function isHeard(side, number) {
      if (!isMixer) return number === active;
      return sides.some((one) => one.isSolo) ? side.isSolo : !side.isMuted;
    }

    // Straight lines that add up to one: two bounces of a song are nearly the same sound, and no dip is heard.
    function mix() {
      for (const [number, side] of sides.entries()) {
        const level = !match || match.checked ? levels[number].matched : levels[number].raw;
        if (side.gain) ramp(side.gain.gain, isHeard(side, number) ? level : 0, context.currentTime);
      }
    }

    function loudness() {
      return volume ? Math.min(1, Number(volume.value)) : 1;
    }

    function start(at) {
      from = Math.min(Math.max(0, at), Math.max(0, duration - 0.05));
      startedAt = context.currentTime + AHEAD_S;
      for (const side of sides) {
        side.source = new AudioBufferSourceNode(context, { buffer: side.buffer });
        side.source.connect(side.gain);
        side.source.start(startedAt, from);
      }
      master.gain.setValueAtTime(0, startedAt);
      master.gain.linearRampToValueAtTime(loudness(), startedAt + FADE_S);
      isPlaying = true;
    }

    function stop() {
      from = position();
      ramp(master.gain, 0, context.currentTime);
      for (const side of sides) side.source?.stop(context.currentTime + FADE_S);
      isPlaying = false;
      takeAlong();
    }

    function takeAlong() {
      if (whole && Math.abs(whole.currentTime - from) > SAME_S) whole.currentTime = from;
    }

    async function toggle() {
      if (isPlaying) {
        stop();
      } else if (!loading || context?.state) {
        try {
          await (loading ??= load());
          await context.resume();
          for (const other of document.querySelectorAll("audio, video")) other.pause();
          for (const other of players) if (other !== self) other.pause();
          mix();
          if (!isPlaying) start(from >= duration - 0.05 ? 0 : from);
          sayActive();
        } catch (error) {
          loading = null;
          if (plain) plain.hidden = false;
          say(isMixer ? `${error.message} The mix can be heard above.` : `${error.message} The players below play each by itself.`);
        }
      }
      show();
    }

    function seek(at) {
      const wasPlaying = isPlaying;
      if (wasPlaying) stop();
      if (wasPlaying) start(at);
      else from = Math.min(Math.max(0, at), duration);
      takeAlong();
      show();
    }

    function choose(number) {
      active = number;
      for (const [other, side] of sides.entries()) side.button.setAttribute("aria-pressed", String(other === active));
      mix();
      sayActive();
    }

    // Mute or solo a stem; `what` is "isMuted" or "isSolo".
    function turn(number, what) {
      const side = sides[number];
      if (!side) return false;
      side[what] = !side[what];
      for (const [other, one] of sides.entries()) {
        one.button.querySelector(".mixer-mute").setAttribute("aria-pressed", String(one.isMuted));
        one.button.querySelector(".mixer-solo").setAttribute("aria-pressed", String(one.isSolo));
        one.button.classList.toggle("silent", !isHeard(one, other));
      }
      mix();
      sayActive();
      return true;
    }

    function sayActive() {
      if (isMixer) {
        const heard = sides.filter(isHeard).map((side) => side.title);
        say(`${isPlaying ? "You hear" : "Chosen:"} ${heard.length === sides.length ? "all stems" : heard.join(", ") || "nothing"}.`);
        return;
      }
      say(`${isPlaying ? "You hear" : "Chosen:"} ${sides[active].letter}, ${sides[active].title}.`);
    }

    // --- Showing.

    function show() {
      if (isPlaying && position() >= duration) {
        stop();
        from = 0;
      }
      const at = position();
      play.setAttribute("aria-pressed", String(isPlaying));
      play.setAttribute("aria-label", `${isPlaying ? "Pause" : "Play"}${play.dataset.what ?? ""}`);
      for (const one of surfaces) one.show(at);
      if (isDragged) return;
      now.textContent = clock(at);
      slider.value = String(at);
      slider.setAttribute("aria-valuetext", `${clock(at)} of ${clock(duration)}`);
    }

    // --- Beginning.

    function beSwitched() {
      for (const [number, side] of sides.entries()) side.button.addEventListener("click", () => choose(number));
      match.addEventListener("change", mix);
      plain.hidden = true;
    }

    function beMixed() {
      for (const [number, { button }] of sides.entries()) {
        for (const [name, what] of [["mute", "isMuted"], ["solo", "isSolo"]]) {
          button.querySelector(`.mixer-${name}`).addEventListener("click", () => turn(number, what));
        }
        for (const hidden of button.querySelectorAll("[hidden]")) hidden.hidden = false;
      }
      volume.addEventListener("input", () => { if (isPlaying) ramp(master.gain, loudness(), context.currentTime); });
      for (const { element, timeAt } of surfaces) {
        element.addEventListener("click", (event) => { if (!event.target.closest("[data-time], a")) seek(timeAt(event.clientX)); });
      }
      for (const name of ["timeupdate", "seeking"]) whole?.addEventListener(name, follow);
    }

    // Where the file is, there are the stems, as long as they do not play themselves.
    function follow() {
      if (isPlaying || Math.abs(whole.currentTime - from) <= SAME_S) return;
      from = Math.min(whole.currentTime, duration);
      show();
    }

    const self = {
      section,
      isMixer,
      isPlaying: () => isPlaying,
      toggle,
      pause: () => { if (isPlaying) { stop(); show(); } },
      next: isMixer ? null : () => choose((active + 1) % sides.length),
      letter: isMixer ? null : (key) => {
        const number = sides.findIndex((side) => side.letter.toLowerCase() === key);
        if (number >= 0) choose(number);
        return number >= 0;
      },
      digit: isMixer ? (number, isSolo) => turn(number - 1, isSolo ? "isSolo" : "isMuted") : null,
      seek,
      skip: (seconds) => seek(position() + seconds),
    };
    if (!sides.length) return null;
    bar.hidden = keys.hidden = false;
    play.addEventListener("click", toggle);
    if (isMixer) beMixed();
    else beSwitched();
    slider.addEventListener("input", () => { isDragged = true; now.textContent = clock(Number(slider.value)); });
    slider.addEventListener("change", () => { isDragged = false; seek(Number(slider.value)); });
    document.addEventListener("play", () => self.pause(), true);
    setInterval(() => { if (isPlaying) show(); }, SHOW_MS);
    for (const one of surfaces) one.show(0);
    return self;
  }

  const players = [...document.querySelectorAll("[data-ab]")].map(player).filter(Boolean);
  if (!players.length) return;
  const hasOther = document.querySelector("[data-player] audio") !== null; // then common keys and times are of that

  function isMeantForOther({ defaultPrevented, ctrlKey, metaKey, altKey, target, key }) {
    if (defaultPrevented || ctrlKey || metaKey || altKey || document.querySelector("dialog[open]")) return true;
    if (target.closest("textarea, select, [contenteditable]")) return true;
    if (key === " ") return Boolean(target.closest("button, a, summary, input")) || hasOther;
    if (key.startsWith("Arrow")) return Boolean(target.closest("input, [role=region]")) || hasOther;
    return Boolean(target.closest("input:not([type=range], [type=checkbox])"));
  }

  // The player that has the focus, else the one that plays, else the first; of those that know what is asked.
  function meant(ability = "toggle") {
    const able = players.filter((one) => one[ability]);
    return able.find(({ section }) => section.contains(document.activeElement)) ?? able.find((one) => one.isPlaying()) ?? able[0];
  }

  const KEYS = {
    " ": () => meant().toggle(),
    x: () => meant("next")?.next(),
    ArrowLeft: () => meant().skip(-SKIP_S),
    ArrowRight: () => meant().skip(SKIP_S),
  };

  function press({ key, code, shiftKey }) {
    const digit = /^Digit([1-9])$/.exec(code); // by its place, because Shift changes what it writes
    if (digit) return meant("digit")?.digit(Number(digit[1]), shiftKey);
    const act = KEYS[key.length > 1 ? key : key.toLowerCase()];
    if (act) act();
    return act ?? meant("letter")?.letter(key.toLowerCase());
  }

  document.addEventListener("keydown", (event) => {
    if (!isMeantForOther(event) && press(event)) event.preventDefault();
  });
  if (!hasOther) {
    document.addEventListener("click", (event) => {
      const timed = event.target.closest("[data-time]");
      if (!timed || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
      event.preventDefault();
      (players.find((one) => one.isMixer) ?? meant()).seek(Number(timed.dataset.time));
    });
  }
})();
