// Over a map, shows the image nearest to the pointer, or where arrow keys lead.
const images = document.getElementById("images");
const { captions, columns } = images ? JSON.parse(images.textContent) : {};
const ways = {
  ArrowLeft: (x, y) => x < 0 && Math.abs(y) <= -x,
  ArrowRight: (x, y) => x > 0 && Math.abs(y) <= x,
  ArrowUp: (x, y) => y < 0 && Math.abs(x) <= -y,
  ArrowDown: (x, y) => y > 0 && Math.abs(x) <= y,
};
for (const map of document.querySelectorAll(".map")) {
  const shares = JSON.parse(map.dataset.points);
  const [tip, ring, chart] = [".tip", ".ring", "svg"].map((part) => map.querySelector(part));
  let shown = -1;
  const pixels = (number) => {
    const box = chart.getBoundingClientRect();
    return [shares[number][0] * box.width, shares[number][1] * box.height];
  };
  const show = (number) => {
    shown = number;
    tip.hidden = ring.hidden = number < 0;
    if (number < 0) return;
    const [x, y] = pixels(number);
    Object.assign(ring.style, { left: `${x}px`, top: `${y}px` });
    const left = Math.max(0, Math.min(x + 14, chart.getBoundingClientRect().width - 132));
    Object.assign(tip.style, { left: `${left}px`, top: `${y + 14}px` });
    const place = [number % columns, Math.floor(number / columns)];
    tip.querySelector("svg").setAttribute("viewBox", place.map((n) => n * 10).join(" ") + " 10 10");
    tip.querySelector("b").textContent = captions[number][0];
    tip.querySelector("span").textContent = captions[number][1];
  };
  const nearest = (x, y, allowed) => {
    let best = -1, least = Infinity;
    for (let number = 0; number < shares.length; number++) {
      const [right, down] = pixels(number);
      const distance = (right - x) ** 2 + (down - y) ** 2;
      if (distance < least && allowed(right - x, down - y)) [best, least] = [number, distance];
    }
    return best;
  };
  map.addEventListener("pointermove", (event) => {
    const box = chart.getBoundingClientRect();
    const near = (x, y) => x * x + y * y < 400;
    show(nearest(event.clientX - box.left, event.clientY - box.top, near));
  });
  map.addEventListener("pointerleave", () => show(-1));
  map.addEventListener("blur", () => show(-1));
  map.addEventListener("focus", () => show(Math.max(shown, 0)));
  map.addEventListener("keydown", (event) => {
    if (!ways[event.key]) return;
    event.preventDefault();
    const next = nearest(...pixels(Math.max(shown, 0)), ways[event.key]);
    if (next >= 0) show(next);
  });
}
