"""Bytes per CPU second against encode_batch of the `tokenizers` package, in one thread.

    EMBED_DATA=../shared/data python3 test/bench/tokenizer/run.py [rounds]

Both sides take the same texts in turns within one process; medians of the
rounds; "fast" is the package's encode_batch_fast, which makes no offsets.
"""
import os
import resource
import sys
import tempfile

os.environ['RAYON_NUM_THREADS'] = '1'
os.environ['TOKENIZERS_PARALLELISM'] = 'false'
TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
sys.path[:0] = [os.path.join(TOP, 'test', 'oracle'), os.path.join(TOP, 'test', 'oracle', 'lib')]
import tokenizer as oracle                      # noqa: E402

LINES = 12000


def seconds(function, texts):
    before = resource.getrusage(resource.RUSAGE_SELF)
    function(texts)
    after = resource.getrusage(resource.RUSAGE_SELF)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def median(values):
    return sorted(values)[len(values) // 2]


def measure(name, core, theirs, texts, rounds):
    data = [text.encode() for text in texts]
    megabytes = sum(map(len, data)) / 1e6
    times = {key: [] for key in ('batch', 'fast', 'ids', 'offsets')}
    for _ in range(rounds):
        times['batch'].append(seconds(theirs.encode_batch, texts))
        times['ids'].append(core.time(data, 0)[0])
        times['fast'].append(seconds(theirs.encode_batch_fast, texts))
        times['offsets'].append(core.time(data, 2)[0])
    batch, fast, ids, offsets = (median(times[key]) for key in ('batch', 'fast', 'ids', 'offsets'))
    print('%-32s %6.2f MB/s, fast %6.2f; ours %6.1f, with offsets %6.1f; ids %5.1fx (%5.1fx of fast), offsets %5.1fx' % (
        name, megabytes / batch, megabytes / fast, megabytes / ids, megabytes / offsets,
        batch / ids, fast / ids, batch / offsets), flush=True)


def main():
    import tokenizer_core
    import tokenizer_made
    import tokenizer_texts
    from tokenizers import Tokenizer
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    english = [t for t in tokenizer_texts.english_lines(os.environ.get('EMBED_DATA', ''), LINES) if t]
    mixed = list(tokenizer_texts.make_lines(LINES, oracle.SEED))
    if not english:
        oracle.skip('no real data: set EMBED_DATA')
    sources = dict(oracle.published())
    made = tokenizer_made.trained(english[:3000] + mixed[:3000])
    for name in ('wordpiece 20000', 'byte bpe llama3', 'byte bpe o200k', 'bpe bytes', 'unigram'):
        sources[name] = made[name]
    with tempfile.TemporaryDirectory() as folder:
        library = tokenizer_core.build(TOP, folder)
        for name, source in sources.items():
            theirs = Tokenizer.from_str(source)
            theirs.no_truncation()
            theirs.no_padding()
            core = tokenizer_core.Core(library, source)
            measure(name + ', English', core, theirs, english, rounds)
            measure(name + ', mixed', core, theirs, mixed, rounds)


if __name__ == '__main__':
    oracle.enter_environment()
    main()
