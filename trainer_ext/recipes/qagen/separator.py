"""The token between question and answer, and more rows for it in a model's embeddings."""

from __future__ import annotations

from transformers import PreTrainedModel, PreTrainedTokenizerBase

SEPARATOR = "<sep>"
QUESTION_FIRST, ANSWER_FIRST = "qagen_separator", "questioner_separator"  # names of the config


def add_separator(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, answer_first: bool = False) -> int:
    """Make ``<sep>`` one special token of both, named in the model's config; return its id.

    The config's name for it says what the model writes first, so that a question generator is not taken for a QAGen.
    A row of the embeddings that no token has yet is used if there is one, as T5 has some. A new row is drawn around the
    mean of the others, as transformers does by default.
    """
    tokenizer.add_special_tokens({"additional_special_tokens": [SEPARATOR]}, replace_extra_special_tokens=False)
    separator_id = int(tokenizer.get_vocab()[SEPARATOR])
    if separator_id >= model.config.get_text_config().vocab_size:
        resize_embeddings(model, separator_id + 1)
    name, other = (ANSWER_FIRST, QUESTION_FIRST) if answer_first else (QUESTION_FIRST, ANSWER_FIRST)
    setattr(model.config, name, SEPARATOR)
    if hasattr(model.config, other):
        delattr(model.config, other)
    if tokenizer.eos_token_id != model.config.eos_token_id:
        tokenizer.eos_token = tokenizer.convert_ids_to_tokens(model.config.eos_token_id)
    return separator_id


def resize_embeddings(model: PreTrainedModel, rows: int) -> None:
    """Give the input embeddings and the output projection ``rows`` rows; those that stay keep their values.

    transformers 5.6 to 5.24 replaces the output projection of a T5, where it is not the input embeddings, when it
    resizes. The work-around can go when that ends; see findings/t5-untied-head-retied-on-resize.sh.
    """
    config = model.config.get_text_config()
    tied = config.tie_word_embeddings
    if model.get_output_embeddings().weight is not model.get_input_embeddings().weight:
        config.tie_word_embeddings = False
    try:
        model.resize_token_embeddings(rows)
    finally:
        config.tie_word_embeddings = tied
