/** Edge of a block of the noise, in image pixels: coarse enough to survive any scaling. */
const BLOCK_PX = 4;
const BLOCKS = 48;

/** Random coloured noise that covers what was seen before; plain grey where the browser draws no canvas. */
export function noiseMask(random: () => number = Math.random): HTMLCanvasElement {
  const canvas = document.createElement("canvas");
  canvas.className = "iri-trial-mask";
  canvas.width = BLOCKS * BLOCK_PX;
  canvas.height = BLOCKS * BLOCK_PX;
  canvas.setAttribute("aria-hidden", "true");
  const context = canvas.getContext("2d");
  if (!context) return canvas;
  for (let x = 0; x < BLOCKS; x += 1) {
    for (let y = 0; y < BLOCKS; y += 1) {
      const [red, green, blue] = [random(), random(), random()].map((value) => Math.floor(256 * value));
      context.fillStyle = `rgb(${red} ${green} ${blue})`;
      context.fillRect(x * BLOCK_PX, y * BLOCK_PX, BLOCK_PX, BLOCK_PX);
    }
  }
  return canvas;
}
