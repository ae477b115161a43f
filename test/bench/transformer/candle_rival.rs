//! candle as a rival of run.py: candle_rival FOLDER TEXTS LIMIT
//!
//! FOLDER is a BERT as published, TEXTS a file with a text on each line, of
//! which LIMIT tokens are read.  Lines of the input are orders:
//!
//!     run FIRST COUNT BATCH     answered with the processor seconds it took
//!     show FIRST COUNT          answered with a vector of length one a line
//!
//! Texts of an order are sorted by their lengths, so that batches are padded
//! little.  One thread, by RAYON_NUM_THREADS=1.

use candle_core::{DType, Device, Result, Tensor};
use candle_nn::VarBuilder;
use candle_transformers::models::bert::{BertModel, Config};
use std::io::{BufRead, Write};
use tokenizers::{Tokenizer, TruncationParams};

#[repr(C)]
struct Timespec {
    seconds: i64,
    nanoseconds: i64,
}

extern "C" {
    fn clock_gettime(clock: i32, time: *mut Timespec) -> i32;
}

/// Of the whole process: CLOCK_PROCESS_CPUTIME_ID is 2 on Linux.
fn processor_seconds() -> f64 {
    let mut time = Timespec { seconds: 0, nanoseconds: 0 };
    unsafe { clock_gettime(2, &mut time) };
    time.seconds as f64 + time.nanoseconds as f64 * 1e-9
}

fn encode(model: &BertModel, tokenizer: &Tokenizer, texts: &[String], batch: usize) -> Result<Vec<Vec<f32>>> {
    let device = Device::Cpu;
    let encodings = tokenizer.encode_batch(texts.to_vec(), true).unwrap();
    let mut order: Vec<usize> = (0..texts.len()).collect();
    order.sort_by_key(|&i| encodings[i].get_ids().len());
    let mut result = vec![Vec::new(); texts.len()];
    for group in order.chunks(batch) {
        let width = group.iter().map(|&i| encodings[i].get_ids().len()).max().unwrap();
        let (mut ids, mut mask) = (vec![0u32; width * group.len()], vec![0u32; width * group.len()]);
        for (row, &i) in group.iter().enumerate() {
            let of_text = encodings[i].get_ids();
            ids[row * width..row * width + of_text.len()].copy_from_slice(of_text);
            mask[row * width..row * width + of_text.len()].fill(1);
        }
        let ids = Tensor::from_vec(ids, (group.len(), width), &device)?;
        let mask = Tensor::from_vec(mask, (group.len(), width), &device)?;
        // nothing is masked where nothing is padded
        let padded = group.iter().any(|&i| encodings[i].get_ids().len() < width);
        let states = model.forward(&ids, &ids.zeros_like()?, if padded { Some(&mask) } else { None })?;
        let weights = mask.to_dtype(DType::F32)?.unsqueeze(2)?;
        let mean = states.broadcast_mul(&weights)?.sum(1)?.broadcast_div(&weights.sum(1)?)?;
        let rows = mean.broadcast_div(&mean.sqr()?.sum_keepdim(1)?.sqrt()?)?.to_vec2::<f32>()?;
        for (&i, row) in group.iter().zip(rows) {
            result[i] = row;
        }
    }
    Ok(result)
}

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().collect();
    let folder = std::path::Path::new(&arguments[1]);
    let config: Config = serde_json::from_slice(&std::fs::read(folder.join("config.json"))?).unwrap();
    let weights = unsafe {
        VarBuilder::from_mmaped_safetensors(&[folder.join("model.safetensors")], DType::F32, &Device::Cpu)?
    };
    let model = BertModel::load(weights, &config)?;
    let mut tokenizer = Tokenizer::from_file(folder.join("tokenizer.json")).unwrap();
    tokenizer.with_padding(None);
    let truncation = TruncationParams { max_length: arguments[3].parse().unwrap(), ..Default::default() };
    tokenizer.with_truncation(Some(truncation)).unwrap();
    let texts: Vec<String> = std::fs::read_to_string(&arguments[2])?.lines().map(String::from).collect();
    for line in std::io::stdin().lock().lines() {
        let line = line?;
        let mut words = line.split_whitespace();
        let order = words.next().unwrap();
        let numbers: Vec<usize> = words.map(|w| w.parse().unwrap()).collect();
        let chosen = &texts[numbers[0]..numbers[0] + numbers[1]];
        if order == "run" {
            let begin = processor_seconds();
            encode(&model, &tokenizer, chosen, numbers[2])?;
            println!("{}", processor_seconds() - begin);
        } else {
            for row in encode(&model, &tokenizer, chosen, 1)? {
                println!("{}", row.iter().map(|x| x.to_string()).collect::<Vec<_>>().join(" "));
            }
        }
        std::io::stdout().flush()?;
    }
    Ok(())
}
