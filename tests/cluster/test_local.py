"""The processes of a cluster on one machine, as one program shows them."""
import time

from digits.cluster import local


def test_nothing_that_a_process_has_printed_is_lost(monkeypatch, capsys):
    """However late its output is read."""
    read = local.ProcessGroup._read
    monkeypatch.setattr(local.ProcessGroup, '_read',
                        lambda *args: (time.sleep(0.5), read(*args)))
    with local.ProcessGroup(quiet=True) as group:
        group.start('ps 0', ['-c', ''])
        group.start('worker 0', ['-c', 'print("the last line")'])
        group.wait()
    assert capsys.readouterr().out == 'the last line\n'
