// From pixels to the answer: each layer's maps, and how the pixel that is pointed at came about.
import { signed, text } from './text.js';
import { announce } from './answer.js';
import { explain } from './ask.js';

const MOST = 3;                   // maps of a layer that are framed: those that contributed most
const DENSE = 96;                 // units of a dense layer in a row

const $ = (id) => document.getElementById(id);
let layers = [], digit = 0;
let chosen = null;                // the pixel that is explained: {layer, map, row, column}

// Shows an answer's layers, its 28 x 28 first; [] if it has none.
export function showLayers(answer) {
  layers = answer.layers.map((layer) => ({ ...layer, ...gridOf(layer.shape),
    bytes: Uint8Array.from(atob(layer.values), (byte) => byte.charCodeAt(0)),
    best: layer.contribution.map((_, map) => map)
      .sort((a, b) => layer.contribution[b] - layer.contribution[a]) }));
  digit = answer.digit;
  if (!layers.length) {
    $('layers').textContent = text.noLayers;
    return;
  }
  if ($('layers').children.length !== layers.length + 1) makeFigures();
  $('layers').querySelector('img').src = `data:image/png;base64,${answer.image}`;
  layers.forEach(paint);
  if (chosen) choose(chosen);
}

export function clearLayers() {
  layers = [];
  chosen = null;
  $('layers').replaceChildren();
  $('pixel').replaceChildren();
}

// Maps across, their side with the gap between them, and how many there are.
function gridOf([maps, height, width]) {
  if (!height) return { dense: true, across: DENSE, height: 1, width: 1, gap: 0, maps };
  return { across: maps > 32 ? 16 : 8, height, width, gap: 1, maps };
}

function makeFigures() {
  const input = Object.assign(new Image(), { alt: text.seen });
  $('layers').replaceChildren(input, ...layers.map((layer, at) => {
    const figure = document.createElement('figure');
    const canvas = Object.assign(document.createElement('canvas'), { tabIndex: 0 });
    canvas.setAttribute('role', 'application');
    canvas.setAttribute('aria-describedby', 'maps-idea');
    canvas.addEventListener('pointermove', (event) => choosePointed(event, at));
    canvas.addEventListener('pointerdown', (event) => choosePointed(event, at));
    canvas.addEventListener('focus', () => {
      if (canvas.matches(':focus-visible')) choose(strongest(at, layers[at].best[0]), true);
    });
    canvas.addEventListener('keydown', (event) => move(event, at));
    figure.append(document.createElement('figcaption'), canvas);
    return figure;
  }));
}

// ---- Painting ---------------------------------------------------------------------------------

function corner({ across, height, width, gap }, map) {
  return [gap + (map % across) * (width + gap), gap + Math.floor(map / across) * (height + gap)];
}

function paint(layer, at) {
  const { across, height, width, gap, maps, bytes, best, contribution } = layer;
  const figure = $('layers').children[at + 1];
  const words = text.layer(layer.name, layer.shape);
  figure.firstChild.textContent = `${words}. ${text.contributedMost(digit,
    best.slice(0, MOST).filter((map) => contribution[map] > 0).map((map) => map + 1), layer.dense)}`;
  const canvas = figure.lastChild;
  canvas.setAttribute('aria-label', words);
  canvas.width = Math.min(across, maps) * (width + gap) + gap;
  canvas.height = Math.ceil(maps / across) * (height + gap) + gap;
  const image = new ImageData(canvas.width, canvas.height);
  const pixels = new Uint32Array(image.data.buffer);
  for (let map = 0; map < maps; map += 1) {
    const [left, top] = corner(layer, map);
    for (let row = 0; row < height; row += 1) {
      for (let column = 0; column < width; column += 1) {
        const grey = bytes[(map * height + row) * width + column];
        pixels[(top + row) * canvas.width + left + column] = 0xff000000 | (grey * 0x010101);
      }
    }
  }
  const context = canvas.getContext('2d');
  context.putImageData(image, 0, 0);
  const style = getComputedStyle(canvas);
  const frame = (map, colour) => {
    const [left, top] = corner(layer, map);
    context.strokeStyle = context.fillStyle = style.getPropertyValue(colour);
    if (!layer.dense) context.strokeRect(left - 0.5, top - 0.5, width + 1, height + 1);
    return [left, top];
  };
  for (const map of best.slice(0, MOST)) if (contribution[map] > 0) frame(map, '--frame');
  if (chosen && chosen.layer === at) {
    const [left, top] = frame(chosen.map, '--point');
    context.fillRect(left + chosen.column, top + chosen.row, 1, 1);
  }
}

// ---- Pointing ---------------------------------------------------------------------------------

function choosePointed(event, at) {
  const { across, height, width, gap, maps } = layers[at];
  const canvas = event.currentTarget, box = canvas.getBoundingClientRect();
  const x = (event.clientX - box.left) / box.width * canvas.width - gap;
  const y = (event.clientY - box.top) / box.height * canvas.height - gap;
  const [tileX, tileY] = [Math.floor(x / (width + gap)), Math.floor(y / (height + gap))];
  const [column, row] = [Math.floor(x - tileX * (width + gap)), Math.floor(y - tileY * (height + gap))];
  const map = tileY * across + tileX;
  if (x < 0 || y < 0 || tileX >= across || map >= maps || column >= width || row >= height) return;
  if (chosen && chosen.layer === at && chosen.map === map && chosen.row === row
    && chosen.column === column) return;
  choose({ layer: at, map, row, column });
}

function strongest(at, map) {
  const { height, width, bytes } = layers[at];
  const values = bytes.subarray(map * height * width, (map + 1) * height * width);
  const place = values.indexOf(Math.max(...values));
  return { layer: at, map, row: Math.floor(place / width), column: place % width };
}

// Arrow keys move from pixel to pixel, and over the edge of a map into the next one; with Shift
// from map to map. Home goes to the strongest pixel of the map that contributed most.
function move(event, at) {
  const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  const layer = layers[at];
  if (!layer || !(step[event.key] || event.key === 'Home')) return;
  event.preventDefault();
  if (event.key === 'Home' || !chosen || chosen.layer !== at) {
    choose(strongest(at, layer.best[0]), true);
    return;
  }
  let { map, row, column } = chosen;
  const [x, y] = step[event.key];
  const byMap = event.shiftKey ? 1 : 0;
  column += x * (byMap ? layer.width : 1);
  row += y * (byMap ? layer.height : 1);
  map += Math.floor(column / layer.width) + layer.across * Math.floor(row / layer.height);
  if (map < 0 || map >= layer.maps) return;
  const inside = (place, side) => (place + side) % side;
  choose({ layer: at, map, row: inside(row, layer.height), column: inside(column, layer.width) },
    true);
}

// ---- Explaining -------------------------------------------------------------------------------

let asking = false;

async function choose(pixel, aloud = false) {
  const before = chosen;
  chosen = pixel;
  for (const at of new Set([before ? before.layer : pixel.layer, pixel.layer])) paint(layers[at], at);
  const layer = layers[pixel.layer];
  const rank = layer.best.indexOf(pixel.map);
  const contribution = text.contribution(digit, layer.contribution[pixel.map], rank + 1,
    layer.maps, layer.dense);
  if (layer.dense) {
    const value = (layer.bytes[pixel.map] / 255 * layer.most).toFixed(2);
    showWords([`${text.unit(layer.name, pixel.map + 1)}: ${value}. ${contribution}`], [], aloud);
    return;
  }
  if (asking) return;             // the newest is explained when this one is
  asking = true;
  const found = await explain([pixel.layer, pixel.map, pixel.row, pixel.column]).catch(() => null);
  asking = false;
  if (chosen !== pixel && chosen) choose(chosen, aloud);
  else if (found && chosen) {
    const words = [text.place(layer.name, pixel.map + 1, pixel.row + 1, pixel.column + 1),
      text.sum(found.sum, found.after, layer.stage), contribution];
    showWords(words, found.channels, aloud);
  }
}

function showWords(words, channels, aloud) {
  const terms = channels.map((channel) => {
    const term = Object.assign(document.createElement('div'), { className: 'term' });
    const name = channel.of > 1 ? text.channel(channel.channel + 1) : '';
    term.append(tile(channel.patch, 0, text.patch), '×', tile(channel.filter, -1, text.filter),
      Object.assign(document.createElement('small'),
        { textContent: `${name} = ${signed(channel.sum)}` }));
    return term;
  });
  if (terms.length > 1) terms.push(text.otherChannels(channels[0].of - channels.length));
  const sentences = Object.assign(document.createElement('p'), { textContent: words.join(' ') });
  $('pixel').replaceChildren(...terms, sentences);
  if (aloud) announce(words.join(' '));
}

// Numbers as a small picture: white is the largest, black 0 or (if least is -1) as far below it.
function tile(rows, least, name) {
  const canvas = Object.assign(document.createElement('canvas'),
    { width: rows[0].length, height: rows.length, title: name });
  canvas.setAttribute('aria-hidden', true);
  const most = Math.max(...rows.flat().map(Math.abs)) || 1;
  const image = new ImageData(canvas.width, canvas.height);
  rows.flat().forEach((value, at) => {
    const grey = 255 * (value / most - least) / (1 - least);
    image.data.set([grey, grey, grey, 255], 4 * at);
  });
  canvas.getContext('2d').putImageData(image, 0, 0);
  return canvas;
}
