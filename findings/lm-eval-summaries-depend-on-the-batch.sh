#!/usr/bin/env bash
# Expected: lm-eval's greedy summary of a document is the same at any batch size, and has up to `max_gen_toks` tokens.
# What happens: for an encoder-decoder it pads the source on the left, as for a decoder, which moves the document to
#   other positions of BART's, Pegasus's or Marian's encoder; and it limits the summary to the longest source of the
#   batch and `max_gen_toks` more, although the source is not part of what these models write.
# Versions: lm_eval 0.4.13, transformers 5.24.0, accelerate 1.15.0, torch 2.13.0.
# Why it matters: ROUGE of a summarizer depends on the batch size and on the other documents; a limit of 8 tokens lets
#   summaries grow as long as their articles. A batch of 1, and `max_length` instead of `max_gen_toks` in the task,
#   avoid both.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet torch==2.13.0 transformers==5.24.0 accelerate==1.15.0 lm_eval==0.4.13
cd "$folder"
TRANSFORMERS_VERBOSITY=error venv/bin/python - 2> log <<'EOF' || { cat log; exit 1; }
import lm_eval
import torch
import transformers
from lm_eval.api.instance import Instance
from lm_eval.models.huggingface import HFLM
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import BartConfig, BartForConditionalGeneration, PreTrainedTokenizerFast

print("lm_eval", lm_eval.__version__, "transformers", transformers.__version__, "torch", torch.__version__)
vocabulary = {word: i for i, word in enumerate(["<s>", "<pad>", "</s>", "<unk>", *(f"w{i}" for i in range(60))])}
words = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
words.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
words.post_processor = processors.TemplateProcessing("<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)])
tokenizer = PreTrainedTokenizerFast(tokenizer_object=words, bos_token="<s>", eos_token="</s>", pad_token="<pad>")
torch.manual_seed(0)
config = BartConfig(vocab_size=64, d_model=16, encoder_layers=1, decoder_layers=1, encoder_attention_heads=2,
                    init_std=1.0, decoder_attention_heads=2, encoder_ffn_dim=32, decoder_ffn_dim=32,
                    max_position_embeddings=64)
model = BartForConditionalGeneration(config).eval()
documents = ["w1 w2 w3", " ".join(f"w{i}" for i in range(20))]  # 5 and 22 tokens


def by_lm_eval(batch_size, **limit):
    settings = {"until": ["\n"], "do_sample": False, **limit}
    requests = [Instance("generate_until", {}, (text, settings), i) for i, text in enumerate(documents)]
    summarizer = HFLM(pretrained=model, tokenizer=tokenizer, batch_size=batch_size, device="cpu", max_length=64)
    assert summarizer.backend == "seq2seq"
    return [summary.split() for summary in summarizer.generate_until(requests, disable_tqdm=True)]


one, two = by_lm_eval(1, max_gen_toks=8), by_lm_eval(2, max_gen_toks=8)
print("the short document's summary, batch of 1:", *one[0])
print("the short document's summary, batch of 2:", *two[0])
print("words, max_gen_toks=8:", [[len(summary) for summary in summaries] for summaries in (one, two)])
batch = tokenizer(documents, padding=True, padding_side="right", return_tensors="pt")
right = tokenizer.batch_decode(model.generate(**batch, max_length=13, do_sample=False), skip_special_tokens=True)
assert right[0].split() == one[0], "padding on the right gives what a batch of 1 gives"
assert two[0][:8] != one[0][:8], "a batch changes nothing any more"
assert len(one[1]) > 16 and len(two[0]) > 16, "summaries keep to max_gen_toks now"
assert max(len(summary) for summary in by_lm_eval(1, max_length=9)) <= 8
EOF
