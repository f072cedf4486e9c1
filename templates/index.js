// The list of tracks: filters and sorts them all, though each page holds only a hundred.
//
// What it searches is a script of the site, loaded when somebody first filters or sorts: a page opened from the disk
// may load nothing else. All text of tracks reaches the page as text, never as HTML.
"use strict";

(() => {
  const form = document.getElementById("filter");
  if (!form) return;

  const PORTION = 100;
  const DAY_MS = 86400000;
  const KEYS_THAT_TURN = 12; // hours of the Camelot wheel
  const NAMES = ["text", "sort", "tempo_min", "tempo_max", "loudness_min", "loudness_max", "key", "fits", "genre", "collection", "rating", "checks", "added"];
  const table = document.getElementById("tracks");
  const plainBody = table.tBodies[0];
  const plainPages = document.getElementById("pages");
  const template = document.getElementById("row");
  const more = document.getElementById("more");
  const found = document.getElementById("found");
  const clear = document.getElementById("clear");
  const plainCount = found.textContent;
  const details = form.querySelector("details");
  const collator = new Intl.Collator("en", { numeric: true, sensitivity: "base" });

  let tracks = null; // once loaded: objects with what filters and orders need
  let loading = null;
  let hits = [];
  let drawn = 0;

  // ---- the tracks -------------------------------------------------------------------------------------------------

  /** Text as it is compared: without case and accents. */
  const folded = (text) => text.normalize("NFD").replace(/[\u0300-\u036f]/g, "").toLowerCase();

  function unpack([artists, collections, genres, keys, rows]) {
    return rows.map(([id, title, artist, collection, genre, key, tempo, loudness, peak, length, rating, day, marks], place) => {
      const [camelot, keyName] = keys[key] || [null, null];
      const track = {
        id, title, artist: artists[artist], collection: collections[collection], genre: genres[genre], camelot, keyName,
        tempo: tenths(tempo), loudness: tenths(loudness), peak: tenths(peak), length, rating, place,
        added: new Date(day * DAY_MS).toISOString().slice(0, 10),
        partial: marks & 1, clipped: marks & 2, tempoDoubtful: marks & 4, keyDoubtful: marks & 8,
        checks: marks & 16 ? (marks & 32 ? "fail" : "pass") : null, revision: marks >> 6,
      };
      track.haystack = folded([title, track.artist, track.collection, track.genre].filter(Boolean).join("\n"));
      const spot = wheel(camelot);
      track.key = spot && spot.hour * 2 + (spot.letter === "B");
      return track;
    });
  }

  const tenths = (value) => (value === null ? null : value / 10);

  /** "8A" as hour and letter; null for what is no place on the wheel. */
  function wheel(camelot) {
    const parts = /^(1[0-2]|[1-9])([AB])$/.exec(camelot || "");
    return parts && { hour: Number(parts[1]), letter: parts[2] };
  }

  function load() {
    loading = loading || new Promise((resolve, reject) => {
      const script = document.createElement("script");
      script.src = form.dataset.tracks;
      script.onload = () => {
        tracks = unpack(globalThis.linerNotesTracks);
        offer("genre");
        offer("collection");
        resolve();
      };
      script.onerror = () => {
        loading = null;
        script.remove();
        reject(new Error(`${form.dataset.tracks} cannot be loaded.`));
      };
      document.head.append(script);
    });
    return loading;
  }

  /** Add to a choice what the page left out because there is so much of it. */
  function offer(name) {
    const select = form.elements[name];
    const known = new Set([...select.options].map((option) => option.value));
    const names = [...new Set(tracks.map((track) => track[name]))].filter((value) => value && !known.has(value));
    for (const value of names.sort(collator.compare)) select.append(new Option(value, value));
  }

  // ---- which of them, in which order ------------------------------------------------------------------------------

  function matcher(state) {
    const words = folded(state.text || "").split(/\s+/).filter(Boolean);
    const tests = words.map((word) => (track) => track.haystack.includes(word));
    for (const name of ["tempo", "loudness"]) {
      const low = number(state[`${name}_min`]);
      const high = number(state[`${name}_max`]);
      if (low !== null) tests.push((track) => track[name] !== null && track[name] >= low);
      if (high !== null) tests.push((track) => track[name] !== null && track[name] <= high);
    }
    for (const name of ["genre", "collection", "added", "checks"]) {
      if (state[name]) tests.push((track) => track[name] === state[name]);
    }
    if (state.rating) tests.push((track) => track.rating !== null && track.rating >= Number(state.rating));
    if (state.key) {
      const keys = state.fits ? fitting(state.key) : new Set([state.key]);
      tests.push((track) => keys.has(track.camelot));
    }
    return (track) => tests.every((test) => test(track));
  }

  function number(text) {
    const value = Number(text);
    return text === undefined || text === "" || Number.isNaN(value) ? null : value;
  }

  /** Keys that mix with one: the same, its neighbours on the wheel, its relative major or minor. */
  function fitting(camelot) {
    const spot = wheel(camelot);
    if (!spot) return new Set([camelot]);
    const at = (hour) => ((hour + KEYS_THAT_TURN - 1) % KEYS_THAT_TURN) + 1;
    const { hour, letter } = spot;
    return new Set([camelot, `${at(hour + 1)}${letter}`, `${at(hour - 1)}${letter}`, `${hour}${letter === "A" ? "B" : "A"}`]);
  }

  /** An order; tracks without the value come last either way, and equals stay newest first. */
  function comparer(sort) {
    const turned = sort.startsWith("-");
    const name = sort.replace("-", "");
    if (name === "added") return (a, b) => b.place - a.place;
    const values = name === "title" || name === "artist" ? ranks(name) : tracks.map((track) => track[name]);
    const sign = turned ? -1 : 1;
    return (a, b) => {
      const one = values[a.place];
      const other = values[b.place];
      if (one === null || other === null) return (one === null) - (other === null) || a.place - b.place;
      return sign * (one - other) || a.place - b.place;
    };
  }

  const known = {};
  /** The place of each track's text in the alphabet, found once: comparing text is slow. */
  function ranks(name) {
    if (!known[name]) {
      const texts = [...new Set(tracks.map((track) => track[name]))].filter(Boolean).sort(collator.compare);
      const place = new Map();
      let rank = 0;
      texts.forEach((text, index) => {
        if (index && collator.compare(texts[index - 1], text)) rank += 1;
        place.set(text, rank);
      });
      known[name] = tracks.map((track) => place.get(track[name]) ?? null);
    }
    return known[name];
  }

  // ---- drawing ----------------------------------------------------------------------------------------------------

  function element(name, className, text) {
    const made = document.createElement(name);
    if (className) made.className = className;
    if (text !== undefined) made.textContent = text;
    return made;
  }

  const doubt = () => {
    const mark = element("span", "doubt", " ?");
    mark.title = "More probably another one";
    return mark;
  };

  function measured(cell, value, unit, isDoubtful) {
    if (value === null) return cell.append(element("span", "none", "—"));
    cell.append(`${value.toFixed(1).replace("-", "\u2212")}\u00a0`, element("span", "unit", unit));
    if (isDoubtful) cell.append(doubt());
    return undefined;
  }

  const address = (name, value) => `index.html#${name}=${encodeURIComponent(value)}`;

  // A length; below a second, where a clock would show 0:00, in seconds.
  function lengthText(seconds) {
    if (seconds > 0 && seconds < 1) return `${Number(seconds.toPrecision(2))}\u00a0s`;
    const two = (value) => String(value).padStart(2, "0");
    const minutes = Math.floor(seconds / 60);
    const end = two(seconds % 60);
    return minutes < 60 ? `${minutes}:${end}` : `${Math.floor(minutes / 60)}:${two(minutes % 60)}:${end}`;
  }

  function row(track) {
    const made = template.content.firstElementChild.cloneNode(true);
    const part = {};
    for (const one of made.querySelectorAll("[data-part]")) part[one.dataset.part] = one;
    part.title.textContent = track.title;
    part.title.href = `tracks/${track.id}.html`;
    for (const name of ["artist", "collection", "genre"]) {
      if (!track[name]) part[name].remove();
      else part[name].textContent = track[name];
      if (track[name] && name !== "artist") part[name].href = address(name, track[name]);
    }
    for (const name of ["partial", "clipped", "revision"]) if (!track[name]) part[name].remove();
    if (track.revision) part.revision.textContent = `v${track.revision}`;
    if (track.checks) showChecks(part.checks, track);
    else part.checks.remove();
    measured(part.tempo, track.tempo, "BPM", track.tempoDoubtful);
    measured(part.loudness, track.loudness, "LUFS");
    measured(part.peak, track.peak, "dBTP");
    part.key.append(keyLabel(track));
    if (track.keyDoubtful && track.key) part.key.append(doubt());
    part.length.append(track.length === null ? element("span", "none", "—") : lengthText(track.length));
    if (track.rating !== null) part.rating.append(stars(track.rating));
    part.added.textContent = track.added;
    part.added.dateTime = track.added;
    return made;
  }

  function showChecks(link, track) {
    const isFailing = track.checks === "fail";
    link.href = `tracks/${track.id}.html#checks`;
    link.textContent = isFailing ? "✗" : "✓";
    link.title = isFailing ? "Checks fail" : "All checks pass";
    link.setAttribute("aria-label", link.title);
    link.classList.add(isFailing ? "bad" : "good");
  }

  function keyLabel(track) {
    if (!track.camelot && !track.keyName) return element("span", "none", "—");
    if (!track.key) return element("span", "camelot", `${track.camelot || ""} ${track.keyName || ""}`);
    const label = element("a", `camelot camelot-${track.camelot}`);
    label.href = address("key", track.camelot);
    label.append(element("b", "", track.camelot), ` ${track.keyName || ""}`);
    return label;
  }

  function stars(rating) {
    const made = element("span", "", "★".repeat(rating) + "☆".repeat(5 - rating));
    made.setAttribute("role", "img");
    made.setAttribute("aria-label", `${rating} of 5`);
    return made;
  }

  function drawPortion(body) {
    body.append(...hits.slice(drawn, drawn + PORTION).map(row));
    drawn = Math.min(hits.length, drawn + PORTION);
    more.hidden = drawn >= hits.length;
  }

  const spaced = (count) => String(count).replace(/\B(?=(\d{3})+$)/g, "\u2009");

  function show(state) {
    hits = tracks.filter(matcher(state));
    if (state.sort) hits.sort(comparer(state.sort));
    const body = document.createElement("tbody");
    drawn = 0;
    drawPortion(body);
    table.tBodies[0].replaceWith(body);
    if (plainPages) plainPages.hidden = true;
    say(`${spaced(hits.length)} of ${spaced(tracks.length)} tracks`);
  }

  function showPlain() {
    if (table.tBodies[0] !== plainBody) table.tBodies[0].replaceWith(plainBody);
    if (plainPages) plainPages.hidden = false;
    more.hidden = true;
    say(plainCount);
  }

  function say(text) {
    if (found.textContent !== text) found.textContent = text;
  }

  // ---- the form, the address and what a person does ---------------------------------------------------------------

  /** What the form says, without what is empty. */
  function wanted() {
    const state = {};
    for (const name of NAMES) {
      const field = form.elements[name];
      const value = field.type === "checkbox" ? (field.checked ? "1" : "") : field.value.trim();
      if (value) state[name] = value;
    }
    return state;
  }

  function fill(state) {
    for (const name of NAMES) {
      const field = form.elements[name];
      const value = (fitsField(field, state[name] || "") && state[name]) || "";
      if (field.type === "checkbox") field.checked = value === "1";
      else {
        // A value that no track has any more must still be seen, or nobody knows why the list is empty.
        if (field.tagName === "SELECT" && ![...field.options].some((option) => option.value === value)) {
          if (name === "sort") continue;
          field.append(new Option(value, value));
        }
        field.value = value;
      }
    }
  }

  /** Whether a field takes a value from an address; browsers complain about a number that is none. */
  function fitsField(field, value) {
    if (field.type === "number") return number(value) !== null;
    return field.type !== "date" || /^\d{4}-\d\d-\d\d$/.test(value);
  }

  function stateOfAddress() {
    const state = {};
    for (const [name, value] of new URLSearchParams(location.hash.slice(1))) if (NAMES.includes(name)) state[name] = value;
    return state;
  }

  function noteInAddress(state) {
    const text = new URLSearchParams(state).toString();
    const next = `${location.pathname}${location.search}${text ? `#${text}` : ""}`;
    history.replaceState(null, "", next);
  }

  function markHeadings(sort) {
    for (const heading of table.tHead.querySelectorAll("[data-sort]")) {
      const name = heading.dataset.sort.replace("-", "") || "added";
      const isSorted = name === (sort || "added").replace("-", "");
      if (!isSorted) heading.removeAttribute("aria-sort");
      else if (name === "added") heading.setAttribute("aria-sort", sort ? "ascending" : "descending");
      else heading.setAttribute("aria-sort", sort.startsWith("-") ? "descending" : "ascending");
    }
  }

  function apply(state) {
    const isAny = Object.keys(state).length > 0;
    const filters = Object.keys(state).filter((name) => name !== "text" && name !== "sort" && name !== "fits").length;
    details.querySelector("summary").textContent = filters ? `Filters (${filters})` : "Filters";
    clear.hidden = !isAny;
    markHeadings(state.sort);
    if (!isAny) return showPlain();
    if (tracks) return show(state);
    say("Loading …");
    // By the time that it is loaded, a person may have typed on.
    return load().then(() => {
      fillAgain();
      apply(wanted());
    }, (error) => say(error.message));
  }

  let pending = null; // a state from the address whose values may not be among the choices before all is loaded
  function fillAgain() {
    if (pending) fill(pending);
    pending = null;
  }

  function change() {
    pending = null;
    const state = wanted();
    noteInAddress(state);
    apply(state);
  }

  function followAddress() {
    const state = stateOfAddress();
    pending = tracks ? null : state;
    fill(state);
    if (Object.keys(state).some((name) => name !== "text" && name !== "sort")) details.open = true;
    apply(wanted());
  }

  function order(heading) {
    const first = heading.dataset.sort;
    const now = form.elements.sort.value;
    const other = first === "" ? "-added" : first.startsWith("-") ? first.slice(1) : `-${first}`;
    form.elements.sort.value = now === first ? other : first;
    change();
  }

  form.hidden = false;
  document.getElementById("plain").hidden = true;
  document.documentElement.classList.add("can-filter");
  details.open = matchMedia("(min-width: 801px)").matches;
  for (const heading of table.tHead.querySelectorAll("[data-sort]")) {
    const button = element("button");
    button.type = "button";
    button.append(...heading.childNodes);
    button.addEventListener("click", () => order(heading));
    heading.append(button);
  }
  form.addEventListener("input", change);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", (event) => {
    event.preventDefault();
    fill({});
    change();
    form.elements.text.focus();
  });
  more.querySelector("button").addEventListener("click", () => {
    const before = drawn;
    drawPortion(table.tBodies[0]);
    table.tBodies[0].rows[before].querySelector("a").focus();
  });
  document.querySelector(".calendar")?.addEventListener("click", (event) => {
    const day = event.target.closest("[data-day]")?.dataset.day;
    if (!day) return;
    form.elements.added.value = form.elements.added.value === day ? "" : day;
    change();
  });
  document.addEventListener("keydown", (event) => {
    const isTyping = /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName);
    if (event.key !== "/" || isTyping || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    form.elements.text.focus();
  });
  window.addEventListener("hashchange", followAddress);
  followAddress();
})();
