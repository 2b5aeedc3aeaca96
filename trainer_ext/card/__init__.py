"""The model card of a contrastive training: what is measured for it, and its section."""

from __future__ import annotations

from trainer_ext.card.quality import CardQuality, card_quality, decoding_config
from trainer_ext.card.section import ContrastiveFacts, extend_card

__all__ = ["CardQuality", "ContrastiveFacts", "card_quality", "decoding_config", "extend_card"]
