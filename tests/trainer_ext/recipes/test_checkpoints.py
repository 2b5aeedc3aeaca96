"""Which checkpoint a killed run goes on from."""

from __future__ import annotations

from pathlib import Path

from trainer_ext.recipes.checkpoints import last_whole_checkpoint


def test_a_checkpoint_whose_state_was_not_or_half_written_is_removed(tmp_path: Path) -> None:
    assert last_whole_checkpoint(tmp_path / "nowhere") is None
    assert last_whole_checkpoint(tmp_path) is None
    for step, state in ((5, '{"global_step": 5}'), (10, ""), (15, '{"global_st'), (20, None)):
        folder = tmp_path / f"checkpoint-{step}"
        folder.mkdir()
        if state is not None:
            (folder / "trainer_state.json").write_text(state)
    assert last_whole_checkpoint(tmp_path) == str(tmp_path / "checkpoint-5")
    assert [folder.name for folder in tmp_path.iterdir()] == ["checkpoint-5"]
