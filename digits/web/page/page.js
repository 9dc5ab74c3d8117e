// The page: what its parts are told, buttons, keys and files. No library.
import { LANGUAGE, text } from './text.js';
import * as paper from './paper.js';
import * as ask from './ask.js';
import { clearLayers, showLayers } from './layers.js';
import { makeBars, setBusy, showAnswer, showNothing, showTrouble } from './answer.js';

const $ = (id) => document.getElementById(id);

// ---- Buttons, keys, files ---------------------------------------------------------------------

$('undo').addEventListener('click', paper.undo);
$('redo').addEventListener('click', paper.redo);
$('clear').addEventListener('click', paper.clear);
$('choose').addEventListener('click', () => $('file').click());
$('file').addEventListener('change', () => {
  takeFirst($('file').files);
  $('file').value = '';
});
$('maps').addEventListener('toggle', () => { if ($('maps').open) ask.again(); });

document.addEventListener('keydown', (event) => {
  const command = event.ctrlKey || event.metaKey;
  const key = event.key.toLowerCase();
  if (command && (key === 'z' || key === 'y')) {
    event.preventDefault();
    if (key === 'y' || event.shiftKey) paper.redo();
    else paper.undo();
  } else if (['Escape', 'Delete', 'Backspace'].includes(event.key)) paper.clear();
});

document.addEventListener('paste', (event) => {
  event.preventDefault();
  takeFirst(event.clipboardData.files);
});
let dragging = 0;
document.addEventListener('dragover', (event) => {
  event.preventDefault();
  document.body.classList.toggle('dragging', event.dataTransfer.types.includes('Files'));
  clearTimeout(dragging);         // it comes again and again, until the file is dropped or leaves
  dragging = setTimeout(() => document.body.classList.remove('dragging'), 400);
});
document.addEventListener('drop', (event) => {
  event.preventDefault();
  document.body.classList.remove('dragging');
  takeFirst(event.dataTransfer.files);
});

function takeFirst(files) {
  if (!files[0]) return;
  paper.showPicture(files[0]).catch(() => {
    paper.clear();                // or what was there would seem to be what cannot be read
    showTrouble('unreadable');
  });
}

// ---- Beginning --------------------------------------------------------------------------------

document.documentElement.lang = LANGUAGE;
document.title = text.title;
for (const element of document.querySelectorAll('[data-text]')) {
  element.textContent = text[element.dataset.text];
}
for (const element of document.querySelectorAll('[data-label]')) {
  element.setAttribute('aria-label', text[element.dataset.label]);
}
makeBars(['']);
$('maps').open = matchMedia('(min-width: 1200px)').matches;  // else it is far from the paper
ask.start({
  wanted: () => ($('maps').open ? 'image,page,others,layers' : 'image,page,others'),
  answer: (answer, place) => {
    showAnswer(answer, place);
    if (answer.layers) showLayers(answer);
    else clearLayers();
  },
  trouble: (kind) => {
    showTrouble(kind);
    clearLayers();
  },
  blank: () => {
    showNothing();
    clearLayers();
  },
  busy: setBusy,
});

// Again and again until the server answers: it may not have started yet, or have stopped.
function greet() {
  fetch('healthz').then((response) => {
    if (!response.ok) throw Error('fault');
    return response.json();
  }).then(({ run, others }) => {
    const runs = [run, ...others];
    $('run').textContent = runs.join(', ');
    if ($('networks').children.length !== runs.length) makeBars(runs);
    if (paper.isBlank()) showNothing();
  }).catch((trouble) => {
    if (paper.isBlank()) showTrouble(trouble.message === 'fault' ? 'fault' : 'offline');
    setTimeout(greet, 2000);
  });
}
greet();
