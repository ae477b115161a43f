# debian: numpy psycopg2
"""If this fails, an adapter of ours is none that the package peft loads, or one of
peft's, added here, gives other vectors than peft's own.

A random BERT, saved by sentence-transformers.  Tuned here by low rank, its
adapter is exported, loaded by peft on the same base, and merged there; then
adapters that peft makes, of several modules, ranks and scales, are imported:
vectors within 2e-5 both ways.  What peft saves in other forms is refused.

Wants an environment with torch, sentence-transformers and peft: EMBED_TORCH
names its python, else the python at hand is tried."""

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
os.environ['HF_HUB_OFFLINE'] = '1'

try:
    import numpy
    import peft
    import psycopg2
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.models import Normalize, Pooling, Transformer
    from transformers import BertConfig, BertModel, BertTokenizerFast
except ImportError as missing:
    print('the package %s is missing: set EMBED_TORCH to a python that has sentence-transformers and peft' % missing.name)
    sys.exit(77)

seed = int(os.environ.get('EMBED_SEED', random.randrange(10 ** 9)))
print('seed', seed)
random.seed(seed)
torch.manual_seed(seed)
connection = psycopg2.connect('')
connection.autocommit = True
cursor = connection.cursor()
cursor.execute("SET client_min_messages = error; SET embed.progress = off; SET maintenance_work_mem = '256MB'")
cursor.execute('CREATE TEMP TABLE upload (name text, data bytea)')
words = ['w%d' % i for i in range(60)]
pairs = [(' '.join(random.choices(words, k=random.randint(1, 6))), ' '.join(random.choices(words, k=random.randint(1, 6))))
         for _ in range(12)]
texts = [text for pair in pairs for text in pair]
failures = 0


def check(name, good, detail=''):
    global failures
    failures += not good
    print('%-8s %s %s' % ('ok' if good else 'FAILED', name, detail), flush=True)


def upload(path):
    cursor.execute('TRUNCATE upload')
    for place, _, files in os.walk(path):
        for file in sorted(files):
            full = os.path.join(place, file)
            cursor.execute('INSERT INTO upload VALUES (%s, %s)', (os.path.relpath(full, path), open(full, 'rb').read()))


def ours(name):
    cursor.execute('SELECT embed_array(%s, %s)::text[]', (name, texts))
    return numpy.array([[float(x) for x in v[1:-1].split(',')] for v in cursor.fetchone()[0]])


def with_adapter(folder, path, merge):
    """Vectors of the base with an adapter, as peft computes them"""
    model = SentenceTransformer(folder, device='cpu')
    wrapped = peft.PeftModel.from_pretrained(model[0].auto_model, path)
    model[0].auto_model = wrapped.merge_and_unload() if merge else wrapped
    return model.encode(texts, show_progress_bar=False)


with tempfile.TemporaryDirectory() as work:
    folder = os.path.join(work, 'base')
    bert = os.path.join(work, 'bert')
    os.makedirs(bert)
    with open(os.path.join(bert, 'vocab.txt'), 'w') as file:
        file.write('\n'.join(['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]'] + words) + '\n')
    BertModel(BertConfig(vocab_size=65, hidden_size=32, num_hidden_layers=3, num_attention_heads=4, intermediate_size=48,
                         max_position_embeddings=32)).save_pretrained(bert)
    BertTokenizerFast(os.path.join(bert, 'vocab.txt')).save_pretrained(bert)
    transformer = Transformer(bert)
    SentenceTransformer(modules=[transformer, Pooling(32), Normalize()], device='cpu').save(folder)
    upload(folder)
    cursor.execute("SELECT import_model('adapter_base', files => 'SELECT name, data FROM upload ORDER BY name', replace => true)")
    cursor.execute('DROP TABLE IF EXISTS adapter_pairs')
    cursor.execute('CREATE TABLE adapter_pairs (anchor text, positive text)')
    for pair in pairs:
        cursor.execute('INSERT INTO adapter_pairs VALUES (%s, %s)', pair)
    plain = ours('adapter_base')

    for targets in ('{query,value}', '{query,key,value,out,gate,down}'):
        cursor.execute("SELECT tune_model('adapter_tuned', 'adapter_base', 'TABLE adapter_pairs', method => 'low_rank', rank => 4, "
                       "rank_alpha => 6, targets => %s, epochs => 20, learning_rate => 0.01, held_out => 0, seed => 1, "
                       'replace => true)', (targets,))
        path = os.path.join(work, 'ours')
        os.makedirs(path, exist_ok=True)
        cursor.execute("SELECT name, data FROM export_adapter('adapter_tuned')")
        for name, data in cursor.fetchall():
            with open(os.path.join(path, name), 'wb') as file:
                file.write(bytes(data))
        mine = ours('adapter_tuned')
        for merge in (True, False):
            worst = abs(with_adapter(folder, path, merge) - mine).max()
            check('of %s, loaded by peft%s' % (targets, ' and merged' if merge else ''), worst < 2e-5 and abs(mine - plain).max() > 1e-3,
                  'within %.1e' % worst)
        # the tuned folder itself must not be changed by the adapter a second time
        whole = os.path.join(work, 'whole')
        cursor.execute("SELECT name, data FROM model_files('adapter_tuned')")
        for name, data in cursor.fetchall():
            os.makedirs(os.path.dirname(os.path.join(whole, name)), exist_ok=True)
            with open(os.path.join(whole, name), 'wb') as file:
                file.write(bytes(data))
        worst = abs(SentenceTransformer(whole, device='cpu').encode(texts, show_progress_bar=False) - mine).max()
        check('of %s, the whole folder' % targets, worst < 2e-5, 'within %.1e' % worst)

    for number, options in enumerate((
            dict(r=3, lora_alpha=5, target_modules=['query', 'value']),
            dict(r=8, lora_alpha=16, target_modules=['key', 'dense'], use_rslora=True),
            dict(r=2, lora_alpha=2, target_modules='all-linear'))):
        model = SentenceTransformer(folder, device='cpu')
        wrapped = peft.get_peft_model(model[0].auto_model, peft.LoraConfig(**options))
        for name, parameter in wrapped.named_parameters():
            if 'lora_B' in name and 'pooler' not in name:
                torch.nn.init.normal_(parameter, std=0.3)
        path = os.path.join(work, 'theirs%d' % number)
        wrapped.save_pretrained(path)
        upload(path)
        cursor.execute("SELECT import_adapter('adapter_theirs', 'adapter_base', 'SELECT name, data FROM upload', replace => true)")
        wanted = with_adapter(folder, path, True)
        worst = abs(wanted - ours('adapter_theirs')).max()
        check('of peft, %s' % options, worst < 2e-5 and abs(wanted - plain).max() > 1e-3, 'within %.1e' % worst)

    for name, configuration in (('DoRA', peft.LoraConfig(r=2, target_modules=['query'], use_dora=True)),
                                ('ranks by pattern', peft.LoraConfig(r=2, target_modules=['query'], rank_pattern={'0.attention.self.query': 4})),
                                ('IA3', peft.IA3Config(target_modules=['key'], feedforward_modules=[]))):
        wrapped = peft.get_peft_model(SentenceTransformer(folder, device='cpu')[0].auto_model, configuration)
        path = os.path.join(work, name)
        wrapped.save_pretrained(path)
        upload(path)
        try:
            cursor.execute("SELECT import_adapter('adapter_theirs', 'adapter_base', 'SELECT name, data FROM upload', replace => true)")
            check(name + ' is refused', False)
        except psycopg2.Error as error:
            check(name + ' is refused', 'adapter cannot be added' in str(error), str(error).split('\n')[1].strip())

cursor.execute('DROP TABLE adapter_base, adapter_tuned, adapter_theirs, adapter_pairs')
print('%d failures' % failures)
sys.exit(failures > 0)
