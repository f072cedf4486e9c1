// A/B players: all sounds run in step in one AudioContext, each with a gain, and switching moves these gains. Sounds
// are loaded when somebody plays: a script each, because a page from a disk may read nothing else into Web Audio.
"use strict";
(() => {
  const FADE_S = 0.01; // short enough for a switch, long enough not to click
  const AHEAD_S = 0.03; // all sources are told to start so much later, so that none is late
  const SKIP_S = 5;
  const SHOW_MS = 100;

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

  function player(section) {
    const find = (selector) => section.querySelector(selector);
    const [bar, play, now, slider, state, plain, keys] = ["bar", "play", "now", "seek", "state", "plain", "keys"].map((name) => find(`.ab-${name}`));
    const match = find(".ab-match input");
    const duration = Number(section.dataset.seconds);
    const sides = [...section.querySelectorAll(".ab-side")].map((button) => ({ button, ...button.dataset, buffer: null, gain: null, source: null }));
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

    // Straight lines that add up to one: two bounces of a song are nearly the same sound, and no dip is heard.
    function mix() {
      for (const [number, side] of sides.entries()) {
        const level = match.checked ? levels[number].matched : levels[number].raw;
        if (side.gain) ramp(side.gain.gain, number === active ? level : 0, context.currentTime);
      }
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
      master.gain.linearRampToValueAtTime(1, startedAt + FADE_S);
      isPlaying = true;
    }

    function stop() {
      from = position();
      ramp(master.gain, 0, context.currentTime);
      for (const side of sides) side.source?.stop(context.currentTime + FADE_S);
      isPlaying = false;
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
          plain.hidden = false;
          say(`${error.message} The players below play each by itself.`);
        }
      }
      show();
    }

    function seek(at) {
      const wasPlaying = isPlaying;
      if (wasPlaying) stop();
      if (wasPlaying) start(at);
      else from = Math.min(Math.max(0, at), duration);
      show();
    }

    function choose(number) {
      active = number;
      for (const [other, side] of sides.entries()) side.button.setAttribute("aria-pressed", String(other === active));
      mix();
      sayActive();
    }

    function sayActive() {
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
      play.setAttribute("aria-label", isPlaying ? "Pause" : "Play");
      if (isDragged) return;
      now.textContent = clock(at);
      slider.value = String(at);
      slider.setAttribute("aria-valuetext", `${clock(at)} of ${clock(duration)}`);
    }

    // --- Beginning.

    const self = {
      section,
      toggle,
      pause: () => { if (isPlaying) { stop(); show(); } },
      next: () => choose((active + 1) % sides.length),
      letter: (key) => {
        const number = sides.findIndex((side) => side.letter.toLowerCase() === key);
        if (number >= 0) choose(number);
        return number >= 0;
      },
      seek,
      skip: (seconds) => seek(position() + seconds),
    };
    if (!sides.length) return null;
    bar.hidden = keys.hidden = false;
    plain.hidden = true;
    play.addEventListener("click", toggle);
    for (const [number, side] of sides.entries()) side.button.addEventListener("click", () => choose(number));
    match.addEventListener("change", mix);
    slider.addEventListener("input", () => { isDragged = true; now.textContent = clock(Number(slider.value)); });
    slider.addEventListener("change", () => { isDragged = false; seek(Number(slider.value)); });
    document.addEventListener("play", () => self.pause(), true);
    setInterval(() => { if (isPlaying) show(); }, SHOW_MS);
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

  // The player that has the focus, else the first.
  function meant() {
    return players.find(({ section }) => section.contains(document.activeElement)) ?? players[0];
  }

  const KEYS = {
    " ": (one) => one.toggle(),
    x: (one) => one.next(),
    ArrowLeft: (one) => one.skip(-SKIP_S),
    ArrowRight: (one) => one.skip(SKIP_S),
  };

  document.addEventListener("keydown", (event) => {
    if (isMeantForOther(event)) return;
    const key = event.key.length > 1 ? event.key : event.key.toLowerCase();
    const act = KEYS[key];
    if (act) act(meant());
    else if (!meant().letter(key)) return;
    event.preventDefault();
  });
  if (!hasOther) {
    document.addEventListener("click", (event) => {
      const timed = event.target.closest("[data-time]");
      if (!timed || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
      event.preventDefault();
      meant().seek(Number(timed.dataset.time));
    });
  }
})();
