// The charts of a report: drawn in the width of the window, read off with the mouse, a finger or the arrow keys.
// The margins and the ticks are those of charts.py, which draws the charts for readers without scripts.
"use strict";
(() => {
  const HEIGHT = 290, LEFT = 62, RIGHT = 14, TOP = 12, BOTTOM = 38, PADDING = 0.04, TICKS = 7;
  const words = JSON.parse(document.getElementById("words").textContent);
  const hidden = new Set();
  const entries = new Map();
  const all = [];

  const tip = document.createElement("div");
  tip.id = "tip";
  tip.hidden = true;
  document.body.append(tip);

  const short = value => String(+value.toPrecision(6));

  function ticks(low, high) {
    const rough = (high - low) / TICKS, power = 10 ** Math.floor(Math.log10(rough));
    const step = [1, 2, 5, 10].map(m => m * power).find(s => s >= rough * 0.999);
    const found = [];
    for (let i = Math.ceil(low / step); i <= Math.floor(high / step); i++) found.push(+(i * step).toPrecision(12));
    return found;
  }

  function decades(low, high) {
    const found = [];
    for (let power = Math.floor(Math.log10(low)); power <= Math.log10(high); power++)
      for (const m of Math.log10(high / low) > 2 ? [1] : [1, 2, 5]) {
        const value = +(m * 10 ** power).toPrecision(3);
        if (value >= low && value <= high) found.push(value);
      }
    return found.length > 1 ? found : ticks(low, high);
  }

  class Chart {
    constructor(figure) {
      this.svg = figure.querySelector("svg");
      this.curves = JSON.parse(figure.querySelector("script").textContent);
      this.log = false;
      const values = this.curves.flatMap(c => c.value), low = values.reduce((a, b) => Math.min(a, b));
      if (low > 0 && values.some(v => v > 3 * low)) this.offer(figure.querySelector("figcaption"));
      this.svg.addEventListener("pointermove", event => this.point(event));
      this.svg.addEventListener("pointerdown", event => this.point(event));
      this.svg.addEventListener("pointerleave", () => this.leave());
      this.svg.addEventListener("blur", () => this.leave());
      this.svg.addEventListener("keydown", event => this.key(event));
    }

    offer(caption) {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = words.log;
      button.setAttribute("aria-pressed", "false");
      button.addEventListener("click", () => {
        this.log = !this.log;
        button.setAttribute("aria-pressed", this.log);
        this.draw();
      });
      caption.append(button);
    }

    shown() { return this.curves.filter(c => !hidden.has(c.key)); }

    make(name, attributes, text) {
      const element = document.createElementNS(this.svg.namespaceURI, name);
      for (const [key, value] of Object.entries(attributes)) if (value !== null) element.setAttribute(key, value);
      if (text !== undefined) element.textContent = text;
      this.svg.append(element);
      return element;
    }

    // The ranges of both axes, and where their values lie.
    scale() {
      const shown = this.shown(), used = shown.length ? shown : this.curves;
      const ends = name => used.reduce(([low, high], c) => c[name].reduce(([l, h], v) => [Math.min(l, v), Math.max(h, v)], [low, high]),
        [Infinity, -Infinity]);
      let [left, right] = ends("epoch"), [low, high] = ends("value");
      if (right <= left) right = left + 1;
      const to = this.log ? Math.log10 : v => v, back = this.log ? v => 10 ** v : v => v;
      low = to(low);
      high = to(high);
      const room = PADDING * (high - low) || (this.log ? 0.1 : Math.abs(high) / 10) || 1;
      low -= room;
      high += room;
      const floor = HEIGHT - BOTTOM, span = this.width - LEFT - RIGHT;
      this.x = epoch => LEFT + (epoch - left) / (right - left) * span;
      this.y = value => floor + (to(value) - low) / (high - low) * (TOP - floor);
      this.epoch = x => left + (x - LEFT) / span * (right - left);
      return { left, right, ups: this.log ? decades(back(low), back(high)) : ticks(low, high) };
    }

    draw() {
      this.width = Math.round(this.svg.clientWidth);
      if (!this.width) return;  // folded up
      this.svg.replaceChildren();
      this.svg.setAttribute("viewBox", `0 0 ${this.width} ${HEIGHT}`);
      const { left, right, ups } = this.scale(), floor = HEIGHT - BOTTOM, end = this.width - RIGHT;
      for (const value of ups) {
        const y = this.y(value);
        this.make("line", { x1: LEFT, x2: end, y1: y, y2: y, class: "grid" });
        this.make("text", { x: LEFT - 8, y: y + 4, "text-anchor": "end" }, short(value));
      }
      for (const value of ticks(left, right))
        this.make("text", { x: this.x(value), y: floor + 17, "text-anchor": "middle" }, short(value));
      this.make("line", { x1: LEFT, x2: end, y1: floor, y2: floor, class: "axis" });
      this.make("text", { x: (LEFT + end) / 2, y: HEIGHT - 5, "text-anchor": "middle" }, words.epoch);
      this.paths = new Map();
      for (const c of this.shown()) {
        const d = "M" + c.value.map((v, i) => `${this.x(c.epoch[i]).toFixed(1)} ${this.y(v).toFixed(1)}`).join("L");
        const { colour, dash } = entries.get(c.key);
        this.paths.set(c, this.make("path", { d, class: "curve", stroke: colour, "stroke-dasharray": dash }));
        for (const e of c.ends) this.make("line", { x1: this.x(e), x2: this.x(e), y1: TOP, y2: floor, class: "end" });
        if (c.best) this.make("circle", { cx: this.x(c.best[0]), cy: this.y(c.best[1]), r: 6, class: "best", stroke: colour });
      }
      this.cursor = [];
    }

    nearest(c, epoch) {
      let best = 0;
      c.epoch.forEach((e, i) => { if (Math.abs(e - epoch) < Math.abs(c.epoch[best] - epoch)) best = i; });
      return best;
    }

    point(event) {
      const box = this.svg.getBoundingClientRect(), zoom = this.width / box.width;
      this.read(this.epoch((event.clientX - box.left) * zoom), (event.clientY - box.top) * zoom, event.clientX, event.clientY);
    }

    key(event) {
      const move = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (event.key === "Escape") this.leave();
      if (!move) return;
      event.preventDefault();
      const epochs = [...new Set(this.shown().flatMap(c => c.epoch))].sort((a, b) => a - b);
      if (!epochs.length) return;
      const at = this.at === undefined ? (move > 0 ? -1 : epochs.length) : epochs.indexOf(this.at);
      const epoch = epochs[Math.min(Math.max(at + move, 0), epochs.length - 1)], box = this.svg.getBoundingClientRect();
      this.read(epoch, null, box.left + this.x(epoch) * box.width / this.width, box.top + TOP);
    }

    // Show the values at the recorded epoch that is nearest; a curve without it shows its own nearest one.
    read(epoch, y, clientX, clientY) {
      const points = this.shown().map(c => [c, this.nearest(c, epoch)]);
      if (!points.length) return this.leave();
      this.at = points.map(([c, i]) => c.epoch[i]).reduce((a, b) => Math.abs(b - epoch) < Math.abs(a - epoch) ? b : a);
      const rows = this.shown().map(c => [c, this.nearest(c, this.at)]).sort((a, b) => b[0].value[b[1]] - a[0].value[a[1]]);
      const off = ([c, i]) => Math.abs(this.y(c.value[i]) - y);
      const near = y === null || rows.length < 2 ? null : rows.reduce((a, b) => off(b) < off(a) ? b : a)[0];
      const steps = new Set(rows.filter(([c, i]) => c.epoch[i] === this.at).map(([c, i]) => c.step[i]));
      this.mark(rows, near);
      const head = document.createElement("div");
      head.textContent = `${words.epoch} ${short(this.at)}` + (steps.size === 1 ? `, ${words.step} ${[...steps][0]}` : "");
      const table = document.createElement("table");
      for (const [c, i] of rows) {
        const row = table.insertRow(), { name, colour } = entries.get(c.key), sign = document.createElement("i");
        sign.style.background = colour;
        row.insertCell().append(sign);
        const elsewhere = c.epoch[i] === this.at ? [] : [`${words.epoch} ${short(c.epoch[i])}`];
        const step = steps.size === 1 && !elsewhere.length ? [] : [`${words.step} ${c.step[i]}`];
        for (const text of [name, short(c.value[i]), [...elsewhere, ...step].join(", ")]) row.insertCell().textContent = text;
        if (c === near) row.className = "near";
      }
      tip.replaceChildren(head, table);
      tip.hidden = false;
      const right = clientX + 18 + tip.offsetWidth > innerWidth ? clientX - 18 - tip.offsetWidth : clientX + 18;
      tip.style.left = `${Math.max(4, Math.min(right, innerWidth - tip.offsetWidth - 4))}px`;
      tip.style.top = `${Math.max(4, Math.min(clientY + 14, innerHeight - tip.offsetHeight - 4))}px`;
    }

    mark(rows, near) {
      for (const element of this.cursor) element.remove();
      const x = this.x(this.at);
      this.cursor = [this.make("line", { x1: x, x2: x, y1: TOP, y2: HEIGHT - BOTTOM, class: "cursor" })];
      for (const [c, i] of rows)
        this.cursor.push(this.make("circle", { cx: this.x(c.epoch[i]), cy: this.y(c.value[i]), r: 4, fill: entries.get(c.key).colour }));
      for (const [c, path] of this.paths) path.setAttribute("class", c === near ? "curve near" : "curve");
    }

    leave() {
      tip.hidden = true;
      this.at = undefined;
      for (const element of this.cursor || []) element.remove();
      for (const path of (this.paths || new Map()).values()) path.setAttribute("class", "curve");
    }
  }

  for (const button of document.querySelectorAll("[data-key]")) {
    const key = +button.dataset.key, line = button.querySelector("line");
    entries.set(key, { name: button.textContent, colour: line.getAttribute("stroke"), dash: line.getAttribute("stroke-dasharray") });
    button.addEventListener("click", () => {
      hidden.has(key) ? hidden.delete(key) : hidden.add(key);
      button.setAttribute("aria-pressed", !hidden.has(key));
      for (const chart of all) chart.draw();
    });
  }
  for (const figure of document.querySelectorAll(".chart")) all.push(new Chart(figure));
  const draw = () => all.forEach(chart => chart.draw());
  draw();
  addEventListener("resize", draw);
  for (const folded of document.querySelectorAll("details")) folded.addEventListener("toggle", draw);
  const gallery = document.querySelectorAll(".gallery figure");
  for (const figure of gallery) figure.querySelector("img").addEventListener("click", () => figure.classList.toggle("large"));
  addEventListener("keydown", event => {
    if (event.key === "Escape") for (const figure of gallery) figure.classList.remove("large");
  });
})();
