"""For TRL's trainers: a reward function. The pairs for DPO and KTO come from ``quals mine``."""

from __future__ import annotations

from trainer_ext.trl.reward import SummaryReward, completion_text, copied_share, quals_reward

__all__ = ["SummaryReward", "completion_text", "copied_share", "quals_reward"]
