"""Writes folders of sentence-transformers with what its own code makes of some
texts: transformer_made.py DIRECTORY [MODEL...].  Each folder is DIRECTORY/N/model,
beside it about.json (name, texts, prompt) and vectors.npy, tokens.npy.

Tiny random models of every family with tokenizers trained here, chains of
modules varied; and the real all-MiniLM-L6-v2 if its folder is given in
EMBED_MINILM."""

import json
import os
import sys

os.environ['HF_HUB_OFFLINE'] = '1'
os.environ['TRANSFORMERS_VERBOSITY'] = 'error'
os.environ['HF_HUB_DISABLE_PROGRESS_BARS'] = '1'

import numpy
import tokenizers
import torch
import transformers
from sentence_transformers import CrossEncoder, SentenceTransformer, SparseEncoder
from sentence_transformers.sentence_transformer.modules import Dense, Normalize, Pooling, Transformer

import transformer_models
import transformer_texts

torch.set_num_threads(1)
torch.set_grad_enabled(False)
ALL = transformer_texts.texts_of_many_kinds()
TEXTS = [text[:400] for text in ALL[:14] + ALL[14:60:3]]
SHORT = [text[:60] for text in TEXTS]
DECODERS = ('llama', 'mistral', 'qwen', 'gemma')
PROMPTS = {'query': 'find what answers: ', 'document': ''}


def tokenizer_of(name, padding):
    """WordPiece for encoders, BPE of bytes for decoders; the padding token has the id that the model wants."""
    specials = ['[CLS]', '[SEP]', '[UNK]', '[MASK]']
    specials.insert(min(padding if padding is not None else 4, 4), '[PAD]')
    specials += ['[X%d]' % i for i in range((padding or 0) - 4)]
    if padding is not None and padding > 4:
        specials.remove('[PAD]')
        specials.insert(padding, '[PAD]')
    if name.startswith(DECODERS):
        made = tokenizers.Tokenizer(tokenizers.models.BPE())
        made.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
        made.decoder = tokenizers.decoders.ByteLevel()
        trainer = tokenizers.trainers.BpeTrainer(vocab_size=400, special_tokens=specials, show_progress=False,
                                                 initial_alphabet=tokenizers.pre_tokenizers.ByteLevel.alphabet())
    else:
        made = tokenizers.Tokenizer(tokenizers.models.WordPiece(unk_token='[UNK]'))
        made.normalizer = tokenizers.normalizers.BertNormalizer()
        made.pre_tokenizer = tokenizers.pre_tokenizers.BertPreTokenizer()
        trainer = tokenizers.trainers.WordPieceTrainer(vocab_size=400, special_tokens=specials, show_progress=False)
    made.train_from_iterator(ALL, trainer)
    template = '[CLS] $A' if name.startswith(DECODERS) else '[CLS] $A [SEP]'
    pair = template + ' $B:1 [SEP]:1'
    if name in ('roberta', 'xlm-roberta', 'camembert', 'mpnet'):
        pair = '[CLS] $A [SEP] [SEP] $B [SEP]'
    made.post_processor = tokenizers.processors.TemplateProcessing(
        single=template, pair=pair, special_tokens=[(t, made.token_to_id(t)) for t in ('[CLS]', '[SEP]')])
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=made, cls_token='[CLS]', sep_token='[SEP]', unk_token='[UNK]', pad_token='[PAD]',
        mask_token='[MASK]', model_input_names=['input_ids', 'attention_mask'], padding_side='right')


def modules_after(number, hidden):
    """Poolings and what follows, another for every model."""
    modes = ['mean', 'cls', 'max', 'lasttoken', 'mean_sqrt_len_tokens', 'weightedmean']
    mode = modes[number % 6] if number % 7 != 6 else ['cls', 'mean']
    pooling = Pooling(hidden, pooling_mode=mode, include_prompt=number % 3 != 0)
    modules = [pooling]
    dims = pooling.get_embedding_dimension()
    if number % 4 == 1:
        activation = [torch.nn.Tanh(), torch.nn.Identity(), torch.nn.ReLU(), torch.nn.GELU()][number // 4 % 4]
        dense = Dense(dims, 20 + number, bias=number % 8 == 1, activation_function=activation)
        modules.append(dense)
    if number % 2 == 0:
        modules.append(Normalize())
    return modules


def write(directory, name, model, prompt):
    os.makedirs(directory, exist_ok=True)
    rows = model.encode(TEXTS if prompt is not None else ALL, batch_size=1, prompt_name=prompt,
                        normalize_embeddings=prompt is None)
    numpy.save(os.path.join(directory, 'vectors.npy'), rows)
    tokens = model.encode(TEXTS[7:8], output_value='token_embeddings', prompt='')[0]
    numpy.save(os.path.join(directory, 'tokens.npy'), tokens.numpy())
    with open(os.path.join(directory, 'about.json'), 'w') as file:
        json.dump({'name': name, 'texts': TEXTS if prompt is not None else ALL, 'prompt': prompt,
                   'tokens_of': TEXTS[7]}, file)


def with_head(kind, name, vocabulary, labels):
    """A network with a head of scores or of terms; fields as in transformer_models."""
    t = transformers
    bert = dict(vocab_size=vocabulary, hidden_size=48, num_hidden_layers=2, num_attention_heads=4,
                intermediate_size=80, max_position_embeddings=130)
    if kind != 'terms':
        bert['num_labels'] = labels
        if labels > 1:
            bert['id2label'] = {i: 'label %d é' % i for i in range(labels)}
    task = 'MaskedLM' if kind == 'terms' else 'SequenceClassification'
    llama = dict(bert, num_key_value_heads=2, pad_token_id=0)
    configs = {
        'bert': ('Bert', dict(bert, hidden_act='gelu_new')), 'albert': ('Albert', dict(bert, embedding_size=24)),
        'distilbert': ('DistilBert', dict(vocab_size=vocabulary, dim=48, n_layers=2, n_heads=4, hidden_dim=80,
                                          max_position_embeddings=130,
                                          **{k: v for k, v in bert.items() if 'label' in k})),
        'roberta': ('Roberta', dict(bert, type_vocab_size=1)), 'xlm-roberta': ('XLMRoberta', dict(bert, type_vocab_size=1)),
        'camembert': ('Camembert', dict(bert, type_vocab_size=1)), 'mpnet': ('MPNet', bert),
        'electra': ('Electra', dict(bert, embedding_size=24)), 'llama': ('Llama', llama), 'qwen3': ('Qwen3', llama)}
    prefix, config = configs[name]
    return getattr(t, prefix + 'For' + task)(getattr(t, prefix + 'Config')(**config))


def write_head(target, number, kind, name, labels):
    network = with_head(kind, name, 450, labels)
    transformer_models.randomize(network, number)
    network.eval()
    plain = os.path.join(target, 'plain')
    network.save_pretrained(plain)
    tokenizer = tokenizer_of(name, network.config.pad_token_id)
    tokenizer.model_max_length = 100
    if name in ('bert', 'albert', 'electra'):
        tokenizer.model_input_names = ['input_ids', 'token_type_ids', 'attention_mask']
    tokenizer.save_pretrained(plain)
    # a pipeline cuts where it is told to, we where the folder says
    texts = SHORT if kind == 'labels' else TEXTS
    about = {'name': '%s of %s, %d' % (kind, name, labels), 'kind': kind, 'texts': texts}
    folder = os.path.join(target, 'model')
    if kind == 'pairs':
        model = CrossEncoder(plain, device='cpu', max_length=40,
                             activation_fn=torch.nn.Identity() if number % 2 else None)
        model.save_pretrained(folder)
        about['query'] = TEXTS[16]
        rows = model.predict([(TEXTS[16], text) for text in TEXTS], batch_size=1)
    elif kind == 'labels':
        os.rename(plain, folder)
        pipeline = transformers.pipeline('text-classification', model=folder, tokenizer=folder, device='cpu',
                                         top_k=None)
        found = [pipeline([text])[0] for text in texts]
        about['labels'] = [network.config.id2label[i] for i in range(labels)]
        rows = [[{row['label']: row['score'] for row in scores}[label] for label in about['labels']]
                for scores in found]
    else:
        model = SparseEncoder(plain, device='cpu')
        if number % 2:
            model.save_pretrained(folder)
        else:
            os.rename(plain, folder)
        rows = model.encode(TEXTS, batch_size=1, convert_to_sparse_tensor=False).numpy()
    numpy.save(os.path.join(target, 'vectors.npy'), numpy.array(rows))
    with open(os.path.join(target, 'about.json'), 'w') as file:
        json.dump(about, file)


HEADS = [('pairs', 'bert', 1), ('pairs', 'bert', 1), ('pairs', 'distilbert', 1), ('pairs', 'roberta', 1),
         ('pairs', 'xlm-roberta', 1), ('pairs', 'electra', 1), ('pairs', 'mpnet', 1), ('pairs', 'albert', 1),
         ('labels', 'bert', 3), ('labels', 'bert', 1), ('labels', 'distilbert', 2), ('labels', 'camembert', 4),
         ('labels', 'llama', 3), ('labels', 'qwen3', 2), ('labels', 'albert', 2), ('labels', 'mpnet', 3),
         ('terms', 'bert', 0), ('terms', 'bert', 0), ('terms', 'distilbert', 0), ('terms', 'roberta', 0),
         ('terms', 'mpnet', 0)]


def main(directory, wanted):
    for number, (kind, name, labels) in enumerate(HEADS):
        if not wanted or kind in wanted:
            torch.manual_seed(number)
            write_head(os.path.join(directory, 'head%d' % number), number, kind, name, labels)
    for number, (name, make) in enumerate(transformer_models.models(450).items()):
        if wanted and name not in wanted:
            continue
        torch.manual_seed(number)
        network = make()
        transformer_models.randomize(network, number)
        target = os.path.join(directory, str(number))
        network.save_pretrained(os.path.join(target, 'plain'))
        tokenizer_of(name, network.config.pad_token_id).save_pretrained(os.path.join(target, 'plain'))
        transformer = Transformer(os.path.join(target, 'plain'), max_seq_length=100)
        model = SentenceTransformer(modules=[transformer] + modules_after(number, network.config.hidden_size),
                                    device='cpu', prompts=PROMPTS)
        model.eval()
        model.save_pretrained(os.path.join(target, 'model'), create_model_card=False)
        write(target, name, model, ['query', 'document'][number % 2])
        print('made', name, flush=True)
    if os.environ.get('EMBED_MINILM') and (not wanted or 'minilm' in wanted):
        target = os.path.join(directory, 'minilm')
        os.makedirs(target)
        os.symlink(os.environ['EMBED_MINILM'], os.path.join(target, 'model'))
        write(target, 'minilm', SentenceTransformer(os.environ['EMBED_MINILM'], device='cpu'), None)


main(sys.argv[1], sys.argv[2:])
