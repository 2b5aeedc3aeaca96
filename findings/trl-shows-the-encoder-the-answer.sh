#!/usr/bin/env bash
# Expected: TRL's SFTTrainer and DPOTrainer refuse an encoder-decoder, or let the encoder read the prompt and the
#   decoder write the completion.
# What happens: both take BART without a word and treat it as a decoder: prompt and completion together are the
#   encoder's input, and the decoder reads the same tokens again. The model learns to copy a completion that it is
#   shown.
# Versions: trl 1.16.0, transformers 5.24.0, torch 2.13.0.
# Why it matters: preference tuning of a summarizer gives fine curves and a model that never saw the task: at test
#   time the encoder has no summary to copy.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet torch==2.13.0 transformers==5.24.0 trl==1.16.0
cd "$folder"
venv/bin/python - <<'EOF'
import transformers
import trl
from datasets import Dataset
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from transformers import BartConfig, BartForConditionalGeneration, PreTrainedTokenizerFast
from trl import DPOConfig, DPOTrainer, SFTConfig, SFTTrainer

print("trl", trl.__version__, "transformers", transformers.__version__)
words = ["<s>", "<pad>", "</s>", "<unk>", "source", "chosen", "rejected"]
model = Tokenizer(WordLevel({word: i for i, word in enumerate(words)}, unk_token="<unk>"))
model.pre_tokenizer = Whitespace()
tokenizer = PreTrainedTokenizerFast(tokenizer_object=model, bos_token="<s>", eos_token="</s>", pad_token="<pad>")
config = BartConfig(vocab_size=64, d_model=16, encoder_layers=1, decoder_layers=1, encoder_attention_heads=2,
                    decoder_attention_heads=2, encoder_ffn_dim=32, decoder_ffn_dim=32, dropout=0.0)
BartForConditionalGeneration(config).save_pretrained("bart")


def read_by_the_encoder(trainer, options, row):
    model = BartForConditionalGeneration.from_pretrained("bart")
    read = []
    model.model.encoder.register_forward_pre_hook(
        lambda module, args, kw: read.append(kw["input_ids"]), with_kwargs=True)
    options = options("out", max_steps=1, report_to=[], use_cpu=True, bf16=False, save_strategy="no")
    rows = Dataset.from_list([row])
    trainer(model, args=options, train_dataset=rows, processing_class=tokenizer).train()
    return sorted({tokenizer.decode(ids) for ids in read[-1]})


sft = read_by_the_encoder(SFTTrainer, SFTConfig, {"prompt": "source", "completion": " chosen"})
dpo = read_by_the_encoder(DPOTrainer, DPOConfig, {"prompt": "source", "chosen": " chosen", "rejected": " rejected"})
print("the encoder reads, SFTTrainer:", sft)
print("the encoder reads, DPOTrainer:", dpo)
assert sft == ["source chosen </s>"], "SFTTrainer reads encoder-decoders otherwise now"
assert dpo == ["source chosen </s>", "source rejected </s>"], "DPOTrainer reads encoder-decoders otherwise now"
EOF
