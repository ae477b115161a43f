# debian: numpy psycopg2
"""If this fails, a tuned model is no folder that sentence-transformers loads with
the same vectors, or tuning takes other steps than PyTorch does.

Random static models and transformers, saved by sentence-transformers, tuned
here by each method, exported, and loaded there: vectors within 2e-5.  Then all
examples in one batch, so that nothing depends on an order: a layer, the rows of
a static model and all weights of a transformer after some steps, against
PyTorch's AdamW on sentence-transformers' own loss, from the same weights; where
a text stands twice, on its definition without what is no negative here.

Wants an environment with torch and sentence-transformers: EMBED_TORCH names its
python, else the python at hand is tried."""

import os
import random
import sys
import tempfile
import warnings

if os.environ.get('EMBED_TORCH') and not os.environ.get('EMBED_TORCH_TRIED'):
    os.environ['EMBED_TORCH_TRIED'] = '1'
    os.execv(os.environ['EMBED_TORCH'], [os.environ['EMBED_TORCH']] + sys.argv)

warnings.simplefilter('ignore')
os.environ['TOKENIZERS_PARALLELISM'] = 'false'

try:
    import numpy
    import psycopg2
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.losses import MultipleNegativesRankingLoss
    from sentence_transformers.models import Normalize, Pooling, StaticEmbedding, Transformer
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers
    from transformers import BertConfig, BertModel, BertTokenizerFast
except ImportError as missing:
    print('the package %s is missing: set EMBED_TORCH to a python that has sentence-transformers' % missing.name)
    sys.exit(77)

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), 'lib'))
from tuning_core import no_negatives

seed = int(os.environ.get('EMBED_SEED', random.randrange(10 ** 9)))
print('seed', seed)
random.seed(seed)
torch.manual_seed(seed)
connection = psycopg2.connect('')
connection.autocommit = True
cursor = connection.cursor()
cursor.execute("SET client_min_messages = error; SET embed.progress = off; SET maintenance_work_mem = '256MB'")
cursor.execute('CREATE TEMP TABLE upload (name text, data bytea)')
failures = 0
words = ['w%d' % i for i in range(60)]
pairs = [(' '.join(random.choices(words, k=random.randint(1, 6))), ' '.join(random.choices(words, k=random.randint(1, 6))))
         for _ in range(12)]
texts = [text for pair in pairs for text in pair]


def check(name, good, detail=''):
    global failures
    failures += not good
    print('%-8s %s %s' % ('ok' if good else 'FAILED', name, detail), flush=True)


def import_folder(name, path):
    cursor.execute('TRUNCATE upload')
    for place, _, files in os.walk(path):
        for file in sorted(files):
            full = os.path.join(place, file)
            with open(full, 'rb') as stream:
                cursor.execute('INSERT INTO upload VALUES (%s, %s)', (os.path.relpath(full, path), stream.read()))
    cursor.execute("SELECT import_model(%s, files => 'SELECT name, data FROM upload ORDER BY name', replace => true)", (name,))


def export_folder(name, path):
    cursor.execute('SELECT name, data FROM model_files(%s)', (name,))
    for file, data in cursor.fetchall():
        full = os.path.join(path, file)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        with open(full, 'wb') as stream:
            stream.write(bytes(data))


def ours(name):
    cursor.execute('SELECT embed_array(%s, %s)::text[]', (name, texts))
    return numpy.array([[float(x) for x in v[1:-1].split(',')] for v in cursor.fetchone()[0]])


def tune(name, base, method, **options):
    given = dict(method=method, held_out=0, seed=seed, replace=True)
    given.update(options)
    cursor.execute('DROP TABLE IF EXISTS tuned_%s' % name)
    cursor.execute('SELECT tune_model(%%s, %%s, %%s, %s)' % ', '.join('%s => %%s' % option for option in given),
                   ['tuned_' + name, base, 'TABLE oracle_pairs'] + list(given.values()))


def compare(name, tolerance=2e-5):
    """The exported folder, loaded by sentence-transformers"""
    with tempfile.TemporaryDirectory() as path:
        export_folder('tuned_' + name, path)
        theirs = SentenceTransformer(path, device='cpu').encode(texts, show_progress_bar=False)
    worst = abs(theirs - ours('tuned_' + name)).max()
    check(name, worst < tolerance, 'exported, loaded, vectors within %.1e' % worst)


def steps_of(model, epochs, rate, parameters, through=None, decay=0.0):
    """One batch of all pairs, an epoch of it after the other; through: after the model"""
    loss = MultipleNegativesRankingLoss(model)
    same = torch.from_numpy(no_negatives(pairs))
    optimizer = torch.optim.AdamW(parameters, lr=rate, weight_decay=decay)
    for step in range(epochs):
        for group in optimizer.param_groups:
            group['lr'] = rate * (epochs - step) / epochs
        vectors = [model(model.preprocess([pair[k] for pair in pairs]))['sentence_embedding'] for k in (0, 1)]
        if through is not None:
            vectors = [torch.nn.functional.normalize(v @ through.T) for v in vectors]
        scores = 20 * torch.nn.functional.normalize(vectors[0]) @ torch.nn.functional.normalize(vectors[1]).T
        value = loss.compute_loss_from_embeddings(vectors, None) \
            if hasattr(loss, 'compute_loss_from_embeddings') and not same.any() else \
            torch.nn.functional.cross_entropy(scores.masked_fill(same, -torch.inf), torch.arange(len(pairs)))
        optimizer.zero_grad()
        value.backward()
        torch.nn.utils.clip_grad_norm_([p for group in optimizer.param_groups for p in group['params']], 1.0)
        optimizer.step()


def difference(name, expected, before):
    """How far ours is from theirs, as a share of how far either went"""
    theirs = expected.encode(texts, show_progress_bar=False) if isinstance(expected, SentenceTransformer) else expected
    moved = abs(theirs - before).max()
    worst = abs(theirs - ours('tuned_' + name)).max()
    check(name, worst < 0.01 * moved and moved > 1e-4, 'moved %.1e, differs by %.1e' % (moved, worst))


cursor.execute('DROP TABLE IF EXISTS oracle_pairs')
cursor.execute('CREATE TABLE oracle_pairs (anchor text, positive text)')
for pair in pairs:
    cursor.execute('INSERT INTO oracle_pairs VALUES (%s, %s)', pair)

# ---------- static models ----------
vocabulary = {word: i for i, word in enumerate(['[UNK]', '[PAD]'] + words)}
tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token='[UNK]'))
tokenizer.normalizer = normalizers.Lowercase()
tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
matrix = torch.randn(len(vocabulary), 24).numpy()
for normalized in (False, True):
    base = SentenceTransformer(modules=[StaticEmbedding(tokenizer, embedding_weights=matrix)] + ([Normalize()] if normalized else []),
                               device='cpu')
    with tempfile.TemporaryDirectory() as path:
        base.save(path)
        import_folder('oracle_static', path)
    kind = 'static_normalized' if normalized else 'static'
    before = ours('oracle_static')
    check(kind, abs(before - base.encode(texts, show_progress_bar=False)).max() < 1e-5, 'imported')
    tune(kind, 'oracle_static', 'rows', epochs=3)
    compare(kind)
    tune(kind, 'oracle_static', 'layer', epochs=3)
    compare(kind)
    # every row has a gradient only if its token is there: PyTorch's dense steps would move others by their moments
    tune(kind, 'oracle_static', 'layer', epochs=8, batch=12, learning_rate=0.003, warmup=0, rank=None)
    layer = torch.nn.Parameter(torch.eye(24))
    steps_of(base, 8, 0.003, [layer], through=layer)
    moved = base.encode(texts, convert_to_tensor=True, show_progress_bar=False) @ layer.detach().T
    difference(kind, (torch.nn.functional.normalize(moved) if normalized else moved).numpy(), before)

# ---------- transformers ----------
with tempfile.TemporaryDirectory() as path:
    with open(os.path.join(path, 'vocab.txt'), 'w') as stream:
        stream.write('\n'.join(['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]'] + words) + '\n')
    pieces = BertTokenizerFast(os.path.join(path, 'vocab.txt'))
    network = BertModel(BertConfig(vocab_size=len(words) + 5, hidden_size=32, num_hidden_layers=2, num_attention_heads=4,
                                   intermediate_size=48, max_position_embeddings=32, hidden_dropout_prob=0.0,
                                   attention_probs_dropout_prob=0.0, initializer_range=0.3))
    network.save_pretrained(path)
    pieces.save_pretrained(path)
    word = Transformer(path, max_seq_length=32)
    bert = SentenceTransformer(modules=[word, Pooling(32), Normalize()], device='cpu')
    saved = os.path.join(path, 'saved')
    bert.save(saved)
    import_folder('oracle_bert', saved)
    before = ours('oracle_bert')
    check('bert', abs(before - bert.encode(texts, show_progress_bar=False)).max() < 2e-5, 'imported')
    tune('bert_layer', 'oracle_bert', 'layer', epochs=5)
    compare('bert_layer')
    tune('bert_low_rank', 'oracle_bert', 'low_rank', epochs=5)
    compare('bert_low_rank')
    tune('bert_full', 'oracle_bert', 'full', epochs=5)
    compare('bert_full')
    tune('bert_full', 'oracle_bert', 'full', epochs=8, batch=12, learning_rate=0.0005, warmup=0, weight_decay=0.01)
    plain = [p for n, p in bert.named_parameters() if 'pooler' not in n and (n.endswith('bias') or 'LayerNorm' in n)]
    decayed = [p for n, p in bert.named_parameters() if 'pooler' not in n and not (n.endswith('bias') or 'LayerNorm' in n)]
    bert.eval()
    steps_of(bert, 8, 0.0005, [{'params': plain, 'weight_decay': 0.0}, {'params': decayed, 'weight_decay': 0.01}])
    difference('bert_full', bert, before)

cursor.execute('DROP TABLE IF EXISTS oracle_pairs, oracle_static, oracle_bert, tuned_static, tuned_static_normalized, tuned_bert_layer,'
               ' tuned_bert_low_rank, tuned_bert_full')
sys.exit(failures > 0)
