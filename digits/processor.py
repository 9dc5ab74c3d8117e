"""Name and bfloat16 instructions of the processor, from /proc/cpuinfo on Linux.

Imports the standard library only: benchmarks use it in environments without other packages.
"""
import platform


def name() -> str:
    """The processor's name; on other systems than Linux platform.processor(), which may be ''."""
    return _cpuinfo('model name') or platform.processor()


def bfloat16_feature() -> str:
    """The processor's instructions for bfloat16 ('amx_bf16', 'avx512_bf16'), or ''."""
    flags = _cpuinfo('flags').split()
    return next((feature for feature in ('amx_bf16', 'avx512_bf16') if feature in flags), '')


def _cpuinfo(key: str) -> str:
    """The value in the first line of /proc/cpuinfo that begins with `key`, or ''."""
    try:
        with open('/proc/cpuinfo', encoding='utf-8', errors='replace') as file:
            lines = (line for line in file if line.startswith(key))
            return next(lines, '').partition(':')[2].strip()
    except OSError:
        return ''
