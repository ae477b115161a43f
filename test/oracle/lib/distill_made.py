"""Writes teachers and what model2vec distills of them: distill_made.py DIRECTORY [MODEL...].

Each is DIRECTORY/N with model (the teacher's folder), about.json (name, options,
texts), vectors.npy (model2vec's of the texts) and tokens.json (its vocabulary).
Tiny random models with tokenizers of each kind, trained here; and the real
all-MiniLM-L6-v2 if its folder is given in EMBED_MINILM."""

import json
import os
import shutil
import sys

os.environ['HF_HUB_OFFLINE'] = '1'
os.environ['TRANSFORMERS_VERBOSITY'] = 'error'
os.environ['HF_HUB_DISABLE_PROGRESS_BARS'] = '1'

import numpy
import tokenizers
import torch
import transformers
from model2vec.distill import distill

import transformer_models
import transformer_texts

torch.set_num_threads(1)
TEXTS = [text for text in transformer_texts.texts_of_many_kinds() if len(text) < 2000]
SPECIALS = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]'] + ['[unused%d]' % i for i in range(7)]


def wordpiece(size):
    made = tokenizers.Tokenizer(tokenizers.models.WordPiece(unk_token='[UNK]'))
    made.normalizer = tokenizers.normalizers.BertNormalizer()
    made.pre_tokenizer = tokenizers.pre_tokenizers.BertPreTokenizer()
    made.train_from_iterator(TEXTS, tokenizers.trainers.WordPieceTrainer(
        vocab_size=size, special_tokens=SPECIALS, show_progress=False))
    # as in BERT's: places kept free are pieces, and no added tokens
    written = json.loads(made.to_str())
    written['added_tokens'] = [t for t in written['added_tokens'] if 'unused' not in t['content']]
    return tokenizers.Tokenizer.from_str(json.dumps(written))


def byte_bpe(size):
    made = tokenizers.Tokenizer(tokenizers.models.BPE())
    made.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = tokenizers.decoders.ByteLevel()
    made.train_from_iterator(TEXTS, tokenizers.trainers.BpeTrainer(
        vocab_size=size, special_tokens=SPECIALS[:5], show_progress=False,
        initial_alphabet=tokenizers.pre_tokenizers.ByteLevel.alphabet()))
    return made


def unigram(size):
    made = tokenizers.Tokenizer(tokenizers.models.Unigram())
    made.normalizer = tokenizers.normalizers.NFKC()
    made.pre_tokenizer = tokenizers.pre_tokenizers.Metaspace()
    made.train_from_iterator(TEXTS, tokenizers.trainers.UnigramTrainer(
        vocab_size=size, special_tokens=SPECIALS[:5], unk_token='[UNK]', show_progress=False))
    return made


def save(folder, name, tokenizer, seed):
    size = tokenizer.get_vocab_size()
    network = transformer_models.models(size)[name]()
    transformer_models.randomize(network, seed)
    network.eval()
    network.save_pretrained(folder)
    tokenizer.post_processor = tokenizers.processors.TemplateProcessing(
        single='[CLS] $A [SEP]', pair='[CLS] $A [SEP] $B:1 [SEP]:1',
        special_tokens=[(t, tokenizer.token_to_id(t)) for t in ('[CLS]', '[SEP]')])
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, cls_token='[CLS]', sep_token='[SEP]', unk_token='[UNK]', pad_token='[PAD]',
        mask_token='[MASK]', model_input_names=['input_ids', 'attention_mask'], model_max_length=100
    ).save_pretrained(folder)
    # what sentence-transformers would add
    with open(os.path.join(folder, 'modules.json'), 'w') as file:
        json.dump([{'idx': 0, 'name': '0', 'path': '', 'type': 'sentence_transformers.models.Transformer'},
                   {'idx': 1, 'name': '1', 'path': '1_Pooling', 'type': 'sentence_transformers.models.Pooling'}], file)
    os.makedirs(os.path.join(folder, '1_Pooling'))
    with open(os.path.join(folder, '1_Pooling', 'config.json'), 'w') as file:
        json.dump({'word_embedding_dimension': network.config.hidden_size, 'pooling_mode_cls_token': True,
                   'pooling_mode_mean_tokens': False}, file)


CASES = [
    # name, network, tokenizer, options of model2vec
    ('WordPiece', 'bert', wordpiece, dict(pca_dims=16)),
    ('WordPiece, all axes', 'electra', wordpiece, dict(pca_dims=48)),
    ('WordPiece, more than there are', 'bert', wordpiece, dict(pca_dims=100)),
    ('WordPiece, no axes', 'distilbert', wordpiece, dict(pca_dims=None)),
    ('WordPiece, no weights', 'bert', wordpiece, dict(pca_dims=20, sif_coefficient=None)),
    ('WordPiece, other weights, float32', 'bert', wordpiece, dict(pca_dims=20, sif_coefficient=1e-2, quantize_to='float32')),
    ('WordPiece, int8', 'bert', wordpiece, dict(pca_dims=20, quantize_to='int8')),
    ('bytes', 'bert', byte_bpe, dict(pca_dims=16)),
    ('Unigram', 'bert', unigram, dict(pca_dims=16)),
]


def write(target, name, options):
    # the folder's Pooling is not what distill() pools by
    twin = distill(os.path.join(target, 'model'), device='cpu', **options)
    texts = TEXTS if name != 'minilm' else TEXTS[:200]
    numpy.save(os.path.join(target, 'vectors.npy'), twin.encode(texts))
    twin.save_pretrained(os.path.join(target, 'twin'))
    with open(os.path.join(target, 'about.json'), 'w') as file:
        json.dump({'name': name, 'texts': texts, 'dims': options['pca_dims'],
                   'sif': options.get('sif_coefficient', 1e-4), 'precision': options.get('quantize_to', 'float16')}, file)
    print('made', name, flush=True)


def main(directory, wanted):
    for number, (name, network, tokenizer, options) in enumerate(CASES):
        if wanted and name not in wanted:
            continue
        torch.manual_seed(number)
        target = os.path.join(directory, str(number))
        with torch.no_grad():
            save(os.path.join(target, 'model'), network, tokenizer(400), number)
        write(target, name, options)
    if os.environ.get('EMBED_MINILM') and (not wanted or 'minilm' in wanted):
        target = os.path.join(directory, 'minilm')
        shutil.copytree(os.environ['EMBED_MINILM'], os.path.join(target, 'model'))
        write(target, 'minilm', dict(pca_dims=256))


main(sys.argv[1], sys.argv[2:])
