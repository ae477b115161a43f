"""Writes GGUF files with what transformers makes of some texts:
gguf_made.py DIRECTORY CONVERTER [SMOLLM2.gguf].  Each DIRECTORY/N holds model.gguf,
about.json (name, texts, tolerance, pooling) and vectors.npy, of length one.

CONVERTER is llama.cpp's directory, whose convert_hf_to_gguf.py is used."""

import json
import os
import runpy
import sys

os.environ['HF_HUB_OFFLINE'] = '1'
os.environ['TRANSFORMERS_VERBOSITY'] = 'error'
DIRECTORY, CONVERTER = sys.argv[1:3]
sys.path[:0] = [CONVERTER + '/gguf-py', CONVERTER]

import numpy
import torch
import transformers

import transformer_models
from transformer_texts import texts_of_many_kinds

torch.set_num_threads(1)
torch.set_grad_enabled(False)
# SmolLM splits numbers, which one half is too; what transformers makes of its GGUF file does not
TEXTS = [text[:300].replace('½', '') for text in texts_of_many_kinds() if text.strip()][:40]


def not_there(self, **unused):
    raise FileNotFoundError('tokenizer.model')


def convert(folder, target, kind, patched):
    """The converter knows tokenizers by what they make of a text: ours it cannot know."""
    if patched:
        import conversion.base
        conversion.base.TextModel.get_vocab_base_pre = lambda self, tokenizer: 'gpt-2'
        conversion.base.TextModel._set_vocab_sentencepiece = not_there
        conversion.base.TextModel._set_vocab_llama_hf = not_there
    before = sys.argv
    sys.argv = ['convert_hf_to_gguf.py', folder, '--outtype', kind, '--outfile', target]
    try:
        runpy.run_path(CONVERTER + '/convert_hf_to_gguf.py', run_name='__main__')
    except SystemExit as done:
        assert not done.code, done
    finally:
        sys.argv = before


def save(name, number, rows, tolerance, pooling):
    directory = os.path.join(DIRECTORY, str(number))
    rows = numpy.array(rows)
    numpy.save(os.path.join(directory, 'vectors.npy'), rows / numpy.linalg.norm(rows, axis=1, keepdims=True))
    with open(os.path.join(directory, 'about.json'), 'w') as file:
        json.dump({'name': name, 'texts': TEXTS, 'tolerance': tolerance, 'pooling': pooling}, file)


def vectors(network, tokenizer, pooling):
    rows = []
    for text in TEXTS:
        ids = torch.tensor([tokenizer(text)['input_ids'][:500]])
        states = network(input_ids=ids).last_hidden_state[0]
        rows.append((states.mean(0) if pooling == 'mean' else states[-1]).numpy())
    return rows


def decoder(kind):
    import tokenizers
    made = tokenizers.Tokenizer(tokenizers.models.BPE())
    made.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = tokenizers.decoders.ByteLevel()
    made.train_from_iterator(TEXTS, tokenizers.trainers.BpeTrainer(
        vocab_size=400, special_tokens=['[END]'], show_progress=False,
        initial_alphabet=tokenizers.pre_tokenizers.ByteLevel.alphabet()))
    size = made.get_vocab_size() + 16
    fields = dict(vocab_size=size, hidden_size=64, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
                  intermediate_size=96, max_position_embeddings=600, eos_token_id=0, bos_token_id=0, pad_token_id=0)
    kinds = {'llama': ('Llama', dict(fields, rms_norm_eps=1e-5)), 'qwen2': ('Qwen2', fields),
             'qwen3': ('Qwen3', dict(fields, head_dim=32))}
    prefix, config = kinds[kind]
    network = getattr(transformers, prefix + 'ForCausalLM')(getattr(transformers, prefix + 'Config')(**config))
    transformer_models.randomize(network, 5)
    tokenizer = transformers.PreTrainedTokenizerFast(tokenizer_object=made, eos_token='[END]', bos_token='[END]')
    tokenizer.add_bos_token = tokenizer.add_eos_token = False
    return network.eval(), tokenizer


def main():
    number = 0
    if os.environ.get('EMBED_MINILM'):
        folder = os.environ['EMBED_MINILM']
        network = transformers.AutoModel.from_pretrained(folder).eval()
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
        rows = vectors(network, tokenizer, 'mean')
        for kind, tolerance in (('f32', 2e-6), ('f16', 1e-3), ('q8_0', 2e-2)):
            os.makedirs(os.path.join(DIRECTORY, str(number)))
            convert(folder, os.path.join(DIRECTORY, str(number), 'model.gguf'), kind, False)
            save('minilm, ' + kind, number, rows, tolerance, 'mean')
            number += 1
    for kind in 'llama', 'qwen2', 'qwen3':
        network, tokenizer = decoder(kind)
        directory = os.path.join(DIRECTORY, str(number))
        network.save_pretrained(directory + '/plain')
        tokenizer.save_pretrained(directory + '/plain')
        convert(directory + '/plain', directory + '/model.gguf', 'f32', True)
        save(kind, number, vectors(network.model, tokenizer, 'lasttoken'), 1e-5, 'lasttoken')
        number += 1
    if len(sys.argv) > 3:
        directory, file = os.path.split(sys.argv[3])
        network = transformers.AutoModel.from_pretrained(directory, gguf_file=file, dtype=torch.float32).eval()
        tokenizer = transformers.AutoTokenizer.from_pretrained(directory, gguf_file=file)
        os.makedirs(os.path.join(DIRECTORY, str(number)))
        os.symlink(sys.argv[3], os.path.join(DIRECTORY, str(number), 'model.gguf'))
        save('SmolLM2-135M, Q4_1', number, vectors(network, tokenizer, 'lasttoken'), 1e-4, 'lasttoken')


main()
