#!/usr/bin/env bash
# Expected: teacher forcing gives a target the likelihood with which `generate` wrote it, whatever follows behind. A
#   loss skips the padding of the labels, which DataCollatorForSeq2Seq fills with -100.
# What happens: FSMT does neither. A forward pass without labels builds no causal mask under `use_cache`, which the
#   configuration sets. Each position then reads the tokens that follow, and padding too. The mask is there with labels,
#   but `prepare_decoder_input_ids_from_labels` writes padding over each -100 of the labels themselves. The loss then
#   counts it.
# Versions: transformers 5.24.0, accelerate 1.15.0, torch 2.13.0.
# Why it matters: likelihoods by which candidates are ranked know what follows. Losses of training and evaluation depend
#   on the longest target of a batch, and look low once the model knows padding. Nothing is logged; BART is right.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet torch==2.13.0 transformers==5.24.0 accelerate==1.15.0
cd "$folder"
cat > fsmt.py <<'EOF'
import accelerate
import torch
import transformers
from tokenizers import Tokenizer, models
from transformers import (BartConfig, BartForConditionalGeneration, DataCollatorForSeq2Seq, FSMTConfig,
                          FSMTForConditionalGeneration, PreTrainedTokenizerFast, Seq2SeqTrainer,
                          Seq2SeqTrainingArguments)

transformers.logging.set_verbosity_error()
print("transformers", transformers.__version__, "accelerate", accelerate.__version__, "torch", torch.__version__)
end, pad, words = 2, 1, 40
shape = dict(d_model=16, encoder_layers=2, decoder_layers=2, encoder_attention_heads=2, decoder_attention_heads=2,
             encoder_ffn_dim=32, decoder_ffn_dim=32, init_std=0.4, dropout=0.0)
kinds = {
    "BART": (BartForConditionalGeneration, BartConfig(vocab_size=words, forced_eos_token_id=None, **shape)),
    "FSMT": (FSMTForConditionalGeneration, FSMTConfig(langs=["en", "de"], src_vocab_size=words, tgt_vocab_size=words,
                                                      forced_eos_token_id=None, **shape)),
}
vocabulary = {"<s>": 0, "<pad>": pad, "</s>": end} | {f"w{i}": i for i in range(3, words)}
tokenizer = PreTrainedTokenizerFast(tokenizer_object=Tokenizer(models.WordLevel(vocabulary, unk_token="w3")),
                                    pad_token="<pad>", eos_token="</s>")
source = torch.tensor([[5, 6, 7, 8, 9, end]])


def new(name):
    kind, config = kinds[name]
    torch.manual_seed(0)
    return kind(config).eval()


@torch.no_grad()
def forced(model, given, **options):
    """Log-probabilities of the first nine tokens of a target by teacher forcing."""
    seen = (given != pad).long()
    logits = model(input_ids=source, decoder_input_ids=given, decoder_attention_mask=seen, **options).logits[:, :9]
    return logits.log_softmax(-1)


for name in kinds:
    model = new(name)
    out = model.generate(source, max_length=10, min_length=10, num_beams=1, do_sample=False, output_logits=True,
                         return_dict_in_generate=True)
    read, target = out.sequences[:, :-1], out.sequences[:, 1:, None]
    assert read.shape == (1, 9) and model.config.use_cache
    wrote = float(torch.stack(out.logits, 1).log_softmax(-1).gather(-1, target).sum())
    likely = {"as it is": forced(model, read), "use_cache=False": forced(model, read, use_cache=False),
              "four paddings behind": forced(model, torch.nn.functional.pad(read, (0, 4), value=pad))}
    scores = {key: float(value.gather(-1, target).sum()) for key, value in likely.items()}
    changed = read.clone()
    changed[0, -1] = 3 + (changed[0, -1] - 2) % (words - 3)  # another last token
    early = float((forced(model, changed) - likely["as it is"])[:, :-1].abs().max())
    print(f"{name}: generate wrote with a log-probability of {wrote:.2f}; teacher forcing gives",
          ", ".join(f"{value:.2f} ({key})" for key, value in scores.items()))
    print(f"   another last token moves the log-probabilities before it by up to {early:.2f}")
    assert abs(scores["use_cache=False"] - wrote) < 1e-3
    if name == "FSMT":
        assert early > 0.1 and abs(scores["as it is"] - wrote) > 0.1, "FSMT has a causal mask now"
        assert abs(scores["four paddings behind"] - scores["as it is"]) > 0.1
    else:
        assert max(abs(value - wrote) for value in scores.values()) < 1e-3 and early < 1e-3

rows = [{"input_ids": source[0].tolist(), "labels": [11, 12, 13, 14, end]}]


def trainer(model, multiple, steps=1, rate=0.0):
    args = Seq2SeqTrainingArguments("out", max_steps=steps, learning_rate=rate, lr_scheduler_type="constant",
                                    save_strategy="no", report_to=[], use_cpu=True, disable_tqdm=True)
    collator = DataCollatorForSeq2Seq(tokenizer, model=model, pad_to_multiple_of=multiple)
    quiet = Seq2SeqTrainer(model, args, data_collator=collator, train_dataset=rows, eval_dataset=rows)
    quiet.remove_callback(transformers.PrinterCallback)
    return quiet


for name in kinds:
    model = new(name)
    batch = DataCollatorForSeq2Seq(tokenizer, model=model, pad_to_multiple_of=8)([dict(row) for row in rows])
    print(f"{name}: the labels that the model gets are", batch["labels"][0].tolist())
    losses = {}
    for multiple in (1, 8, 16):
        losses[multiple] = (trainer(model, multiple).train().training_loss,
                            trainer(model, multiple).evaluate()["eval_loss"])
        print(f"   targets padded to a multiple of {multiple}: loss {losses[multiple][0]:.3f} in training,",
              f"{losses[multiple][1]:.3f} in evaluation")
    moved = max(abs(a - b) for pair in losses.values() for a, b in zip(pair, losses[1]))
    trainer(model, 16, steps=30, rate=3e-3).train()
    padded, plain = (trainer(model, multiple).evaluate()["eval_loss"] for multiple in (16, 1))
    print(f"   after 30 steps: eval_loss {padded:.3f} with padding to 16, {plain:.3f} with none")
    if name == "FSMT":
        assert moved > 0.1 and -100 not in batch["labels"], "the loss skips padding now"
        assert padded < plain / 2
    else:
        assert moved < 1e-3 and (batch["labels"] == -100).sum() == 3 and abs(padded - plain) < 1e-3
EOF
export OMP_NUM_THREADS=1
venv/bin/python -W ignore fsmt.py
