"""The README's Python and YAML blocks work as they stand."""

from __future__ import annotations

import re
from pathlib import Path

from autonas import load_space

README = (Path(__file__).parents[1] / "README.md").read_text()


def _blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def test_python_blocks_run(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    for block in _blocks("python"):
        exec(compile(block, "README.md", "exec"), names)
    assert float(capsys.readouterr().out.split("trained models\n")[1].splitlines()[0]) > 0.9


def test_the_space_loads(tmp_path):
    (block,) = _blocks("yaml")
    (tmp_path / "small.yaml").write_text(block)
    space = load_space(tmp_path / "small.yaml")
    assert space.default()["model"] == "linear"
    assert len(space.portfolio({})) == 1
