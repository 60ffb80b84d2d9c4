"use strict";
(() => {
  const clamp = (value, low, high) => Math.min(high, Math.max(low, value));
  const text = (value) => (Math.abs(value) < 1e-6 ? "0" : Number(value.toPrecision(3)).toString());
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];

  // One sheet of frames, samples down and positions across, of which the canvas shows one frame, or one of each sample.
  // A direction that is curved has two: along its curve, and along a straight line.
  class Strip {
    constructor(element) {
      const data = element.dataset;
      this.element = element;
      this.sheets = all(".sheet", element);
      this.image = this.sheets[0];
      this.canvas = element.querySelector(".frame");
      this.row = element.querySelector(".row");
      this.context = this.canvas.getContext("2d");
      this.text = element.parentElement.querySelector(".value");
      this.positions = JSON.parse(data.positions);
      [this.width, this.height, this.samples] = [+data.width, +data.height, +data.samples];
      this.reach = data.reach ? +data.reach : Infinity;
      this.signed = this.positions[0] < 0;
      this.sample = 0;
      this.bitmap = null;
      const last = this.positions[this.positions.length - 1], span = last - this.positions[0];
      if (this.reach < last) element.style.setProperty("--low", `${(50 * (last - this.reach)) / last}%`);
      if (this.signed) element.style.setProperty("--zero", `${(-100 * this.positions[0]) / span}%`);
      this.sheets.forEach((sheet) => { sheet.hidden = true; });
      this.canvas.hidden = element.querySelector(".track").hidden = false;
      this.row.hidden = !this.signed;
      this.set(this.nearest(+data.start));
      this.listen();
    }

    get last() { return this.positions.length - 1; }

    nearest(position) {
      const far = (index) => Math.abs(this.positions[index] - position);
      return this.positions.reduce((best, _, index) => (far(index) < far(best) ? index : best), 0);
    }

    // Decode the sheet when the strip comes near the window, and forget it when it is far.
    async near(isNear) {
      this.wanted = isNear;
      if (isNear && !this.bitmap) {
        const { image } = this;
        await image.decode();
        const bitmap = await createImageBitmap(image);
        if (!this.wanted || this.bitmap || image !== this.image) return bitmap.close();
        this.bitmap = bitmap;
        [this.width, this.height] = [bitmap.width / this.positions.length, bitmap.height / this.samples];
        this.draw();
        this.drawRow();
        if (!performance.getEntriesByName("first frame").length) performance.mark("first frame");
        this.element.dispatchEvent(new CustomEvent("decoded", { bubbles: true }));
      } else if (!isNear && this.bitmap) {
        this.bitmap.close();
        this.bitmap = null;
      }
    }

    show(sample) {
      this.sample = sample === "all" ? "all" : clamp(sample, 0, this.samples - 1);
      this.draw();
      this.drawRow();
    }

    get straight() { return this.image !== this.sheets[0]; }

    // Show the sheet of the straight line, or that of the curve.
    along(straight) {
      this.image = this.sheets[straight ? 1 : 0];
      this.bitmap?.close();
      this.bitmap = null;
      this.near(this.wanted);
      this.set(this.index);
    }

    set(index) {
      this.index = clamp(Math.round(index), 0, this.last);
      const at = this.positions[this.index], beyond = Math.abs(at) > this.reach * 1.0001;
      const words = (this.signed ? `${at > 1e-6 ? "+" : ""}${text(at).replace("-", "−")}` : `step ${text(at)}`)
        + (this.straight ? ", on a straight line" : "") + (beyond ? ", beyond the usable range" : "");
      this.element.setAttribute("aria-valuenow", text(at));
      this.element.setAttribute("aria-valuetext", words);
      this.element.style.setProperty("--at", `${(100 * this.index) / this.last}%`);
      this.element.classList.toggle("beyond", beyond);
      if (this.text) this.text.textContent = words;
      this.draw();
    }

    draw() {
      if (!this.bitmap) return;
      const { width, height } = this, every = this.sample === "all" && this.samples > 1;
      const columns = every ? Math.ceil(Math.sqrt(this.samples)) : 1;
      const rows = every ? Math.ceil(this.samples / columns) : 1;
      if (this.canvas.width !== columns * width || this.canvas.height !== rows * height) {
        this.canvas.width = columns * width;
        this.canvas.height = rows * height;
      }
      for (let number = 0; number < (every ? this.samples : 1); number++) {
        const down = every ? number : this.sample === "all" ? 0 : this.sample;
        this.context.drawImage(this.bitmap, this.index * width, down * height, width, height,
          (number % columns) * width, Math.floor(number / columns) * height, width, height);
      }
    }

    // Small frames over the whole way, each above its place on the line.
    drawRow() {
      if (!this.bitmap) return;
      const { width, height } = this, count = Math.min(5, this.positions.length), down = this.sample === "all" ? 0 : this.sample;
      [this.row.width, this.row.height] = [count * width, height];
      for (let number = 0; number < count; number++) {
        const index = Math.round(((number + 0.5) / count) * this.last);
        this.row.getContext("2d").drawImage(this.bitmap, index * width, down * height, width, height, number * width, 0, width, height);
      }
    }

    listen() {
      const { element } = this;
      const follow = (event) => {
        const box = element.querySelector(".track").getBoundingClientRect();
        this.set(((event.clientX - box.left) / box.width) * this.last);
      };
      const said = () => element.dispatchEvent(new CustomEvent("moved", { bubbles: true }));
      let held = null; // where the pointer went down, and whether it steers: a finger may be scrolling instead
      element.addEventListener("pointerdown", (event) => {
        if (event.button) return;
        held = { x: event.clientX, y: event.clientY, steers: event.pointerType !== "touch" };
        element.setPointerCapture(event.pointerId);
        element.focus({ preventScroll: true });
        element.dispatchEvent(new CustomEvent("taken", { bubbles: true }));
        if (held.steers) follow(event);
        event.preventDefault();
      });
      element.addEventListener("pointermove", (event) => {
        if (!held) return;
        const across = Math.abs(event.clientX - held.x), down = Math.abs(event.clientY - held.y);
        held.steers ||= across > 4 && across > down;
        held.scrolls ||= down > 4;
        if (held.steers) follow(event);
      });
      element.addEventListener("pointerup", (event) => {
        if (held && (held.steers || !held.scrolls)) {
          follow(event);
          said();
        }
        held = null;
      });
      element.addEventListener("pointercancel", () => { held = null; });
      element.addEventListener("keydown", (event) => {
        const big = Math.max(1, Math.round(this.last / 6));
        const to = {
          ArrowRight: this.index + 1, ArrowUp: this.index + 1, ArrowLeft: this.index - 1, ArrowDown: this.index - 1,
          PageUp: this.index + big, PageDown: this.index - big, Home: 0, End: this.last,
          0: this.signed ? this.nearest(0) : undefined,
        }[event.key];
        if (to === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
        event.preventDefault();
        element.dispatchEvent(new CustomEvent("taken", { bubbles: true }));
        this.set(to);
        said();
      });
    }
  }

  const strips = all(".strip").map((element) => new Strip(element));
  const of = new Map(strips.map((strip) => [strip.element, strip]));
  const watcher = new IntersectionObserver(
    (entries) => entries.forEach((entry) => of.get(entry.target).near(entry.isIntersecting)), { rootMargin: "300px" });
  strips.forEach((strip) => watcher.observe(strip.element));

  all(".hint").forEach((hint) => { hint.hidden = false; });
  const tools = document.querySelector(".tools");
  if (!tools) return;
  const cards = all("[data-keys]"), state = { sample: 0 }; // of directions, or of runs
  tools.hidden = false;
  tools.addEventListener("submit", (event) => event.preventDefault());

  // The sample: thumbnails of the first strip, and all samples at once.
  const chooser = tools.querySelector(".samples"), first = strips[0];
  const pick = (sample) => {
    state.sample = sample;
    strips.forEach((strip) => strip.show(sample));
    all("input", chooser).forEach((input) => { input.checked = input.value === String(sample); });
  };
  if (first && first.samples > 1) {
    chooser.hidden = false;
    for (const value of [...Array(first.samples).keys(), "all"]) {
      const label = document.createElement("label"), input = document.createElement("input");
      const face = document.createElement(value === "all" ? "span" : "canvas");
      Object.assign(input, { type: "radio", name: "sample", value, checked: value === 0 });
      input.setAttribute("aria-label", value === "all" ? "all samples" : `sample ${value}`);
      if (value === "all") { face.className = "all"; face.textContent = "all"; }
      else { [face.width, face.height] = [first.width, first.height]; face.setAttribute("aria-hidden", "true"); }
      label.append(input, face);
      chooser.append(label);
      input.addEventListener("change", () => { pick(value); remember(); });
    }
    const faces = () => {
      if (!first.bitmap) return;
      document.removeEventListener("decoded", faces);
      const { width, height } = first, middle = first.nearest(0);
      all("canvas", chooser).forEach((face, number) => face.getContext("2d").drawImage(
        first.bitmap, middle * width, number * height, width, height, 0, 0, width, height));
    };
    document.addEventListener("decoded", faces);
  } else if (!strips.length) tools.querySelector(".play").hidden = true;

  // Sort and filter.
  const keys = new Map(cards.map((card) => [card, JSON.parse(card.dataset.keys)]));
  const select = tools.querySelector("select"), search = tools.querySelector("input[type=search]");
  select.addEventListener("change", () => {
    const value = (card) => keys.get(card)[select.value];
    const compare = (a, b) => (typeof a === "string" ? a.localeCompare(b, undefined, { numeric: true }) : b - a);
    const missing = (card) => +(value(card) === null); // these come last
    cards.sort((one, other) => missing(one) - missing(other) || compare(value(one), value(other)));
    cards[0].parentElement.append(...cards);
  });
  const texts = new Map(cards.map((card) => [card, card.dataset.text.toLowerCase()]));
  search.addEventListener("input", () => {
    const words = search.value.trim().toLowerCase().split(/\s+/);
    let left = 0;
    for (const card of cards) {
      const fits = words.every((word) => texts.get(card).includes(word));
      if (card.hidden === fits) card.hidden = !fits;
      left += fits;
    }
    tools.querySelector(".found").textContent = words[0] ? `${left} of ${cards.length} ${tools.dataset.of}` : "";
  });

  // Curved or straight, where both are there.
  const switches = new Map(all(".path input").map((input) => [of.get(input.closest(".card").querySelector(".strip")), input]));
  switches.forEach((input, strip) => {
    input.parentElement.hidden = false;
    input.addEventListener("change", () => { strip.along(input.checked); choose(strip); remember(); });
  });

  // The address names a direction, a sample, a position, and whether the path is straight.
  let chosen = null;
  const choose = (strip) => {
    chosen = strip;
    cards.forEach((card) => card.classList.toggle("chosen", card.contains(strip.element)));
  };
  function remember() {
    if (tools.dataset.of !== "directions") return;
    const values = new URLSearchParams();
    if (chosen) values.set("direction", chosen.element.dataset.key);
    values.set("sample", state.sample);
    if (chosen) values.set("at", text(chosen.positions[chosen.index]));
    if (chosen && chosen.straight) values.set("path", "straight");
    history.replaceState(null, "", `#${values}`);
  }
  const recall = () => {
    const values = new URLSearchParams(location.hash.slice(1));
    const sample = values.get("sample"), key = values.get("direction"), at = parseFloat(values.get("at"));
    if (sample === "all" || /^\d+$/.test(sample ?? "")) pick(sample === "all" ? sample : Math.min(+sample, first ? first.samples - 1 : 0));
    const card = key === null ? undefined
      : cards.find((each) => each.dataset.name === key) ?? cards.find((each) => each.dataset.number === key);
    const strip = card && of.get(card.querySelector(".strip"));
    if (!strip) return;
    if (Number.isFinite(at)) strip.set(strip.nearest(at));
    const path = switches.get(strip);
    if (path) {
      path.checked = values.get("path") === "straight";
      if (path.checked !== strip.straight) strip.along(path.checked);
    }
    choose(strip);
    strip.element.focus({ preventScroll: true });
    card.scrollIntoView({ block: "center" });
  };
  document.addEventListener("taken", (event) => { stop(); choose(of.get(event.target)); });
  document.addEventListener("moved", remember);
  addEventListener("hashchange", recall);

  // Play: every strip in view goes there and back.
  const play = tools.querySelector(".play");
  let playing = 0;
  play.hidden = !strips.length;
  const stop = () => {
    cancelAnimationFrame(playing);
    playing = 0;
    play.textContent = "Play";
  };
  play.addEventListener("click", () => {
    if (playing) return stop();
    const begun = performance.now();
    const step = (now) => {
      const swing = Math.sin(((now - begun) / 4000) * 2 * Math.PI);
      strips.forEach((strip) => {
        const middle = strip.nearest(0), end = strip.nearest(Math.min(strip.reach, strip.positions[strip.last]));
        strip.bitmap && strip.set(middle + (end - middle) * swing);
      });
      playing = requestAnimationFrame(step);
    };
    playing = requestAnimationFrame(step);
    play.textContent = "Stop";
  });
  recall();
})();
