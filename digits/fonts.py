"""Fonts for names in any letters: matplotlib's own has no Korean ones.

matplotlib lists a system's fonts once and keeps the list in its cache: a font that was installed
later is not in it, nor are the faces of a collection but the first. So the files are looked for.
"""
import functools
import os
from typing import Any, FrozenSet, List, Optional

OWN = 'DejaVu Sans'  # comes with matplotlib
# How the files with Korean letters are called on Windows, macOS and Linux: tried before others.
KOREAN = ('malgun', 'applesdgothicneo', 'nanumgothic', 'notosanscjk', 'notosanskr')
ENDINGS = ('.ttf', '.otf', '.ttc')


def families(text: str) -> List[str]:
    """The font families to draw `text` in, the first with as many of its letters as can be had."""
    lacking = frozenset(map(ord, text)) - _letters(_own_path())
    found = _registered(lacking) if lacking else None
    return [found, OWN] if found else [OWN]


def _own_path():
    from matplotlib import font_manager
    return font_manager.findfont(OWN)


@functools.lru_cache(maxsize=None)
def _letters(path: str) -> FrozenSet[int]:
    """The letters that a font file has; none if it cannot be read."""
    from matplotlib import font_manager
    try:
        return frozenset(font_manager.get_font(path).get_charmap())
    except (OSError, RuntimeError, ValueError):
        return frozenset()


@functools.lru_cache(maxsize=None)
def _registered(lacking: FrozenSet[int]) -> Optional[str]:
    """The name, known to matplotlib from now on, of the font with most of these letters."""
    from matplotlib import font_manager
    best, most = None, 0
    for path in sorted(_system_fonts(), key=_rank):
        count = len(lacking & _letters(path))
        if count > most:
            best, most = path, count
        if most == len(lacking):
            break
    if best is None:
        return None
    font_manager.fontManager.addfont(best)
    return font_manager.FontProperties(fname=best).get_name()


def _system_fonts() -> List[Any]:
    from matplotlib import font_manager
    return [path for path in font_manager.findSystemFonts() if path.lower().endswith(ENDINGS)]


def _rank(path):
    """Korean fonts first, upright and of usual weight, then by name."""
    name = os.path.basename(path).lower()
    return (next((place for place, known in enumerate(KOREAN) if name.startswith(known)),
                 len(KOREAN)), 'regular' not in name, len(name), name)
