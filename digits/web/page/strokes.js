// Strokes as lines on a canvas. A stroke is {points}, a point {x, y, weight} in shares of the paper.

export const PEN = 0.068;         // width of the line on the paper, of its side
const SENT_PEN = 8;               // pixels of it in what is sent
const OF_STROKE = 0.1;            // and its share of the longest stroke: MNIST's, 2 of 20 pixels

// Draws them, x and y in shares from left and top, scaled to pixels; pen in pixels.
// From the middle between two points to the next middle, bent towards the point between: smooth.
export function draw(context, strokes, { left, top, scale, pen }) {
  context.lineCap = context.lineJoin = 'round';
  const place = ({ x, y }) => ({ x: (x - left) * scale, y: (y - top) * scale });
  for (const stroke of strokes) {
    const points = stroke.points.map(place);
    let from = points[0];
    points.forEach((point, at) => {
      const next = points[at + 1] || point;
      const to = { x: (point.x + next.x) / 2, y: (point.y + next.y) / 2 };
      context.lineWidth = pen * stroke.points[at].weight;
      context.beginPath();
      context.moveTo(from.x, from.y);
      context.quadraticCurveTo(point.x, point.y, to.x, to.y + 0.01);
      context.stroke();
      from = to;
    });
  }
}

// Where to draw what is sent, so that the pen suits what was drawn with it, however small: a fixed
// pen makes blobs of small digits. By the longest stroke, not by the box of all, which may hold
// several digits. {left, top, scale, pen, width, height}
export function place(strokes) {
  const boxes = strokes.map(({ points }) => boxOf(points));
  const [left, top, right, bottom] = boxOf(boxes.flatMap((box) => [
    { x: box[0], y: box[1] }, { x: box[2], y: box[3] }]));
  const longest = Math.max(...boxes.map((box) => Math.max(box[2] - box[0], box[3] - box[1])));
  const pen = OF_STROKE * Math.max(longest, Math.max(right - left, bottom - top) / 5, 0.03);
  const scale = SENT_PEN / pen;
  return { left: left - 3 * pen, top: top - 3 * pen, scale, pen: SENT_PEN,
    width: Math.ceil((right - left + 6 * pen) * scale),
    height: Math.ceil((bottom - top + 6 * pen) * scale) };
}

function boxOf(points) {
  const [xs, ys] = [points.map(({ x }) => x), points.map(({ y }) => y)];
  return [Math.min(...xs), Math.min(...ys), Math.max(...xs), Math.max(...ys)];
}
