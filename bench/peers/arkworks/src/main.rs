//! A Groth16 prover of snarkjs's files on the arkworks libraries, called as rapidsnark is:
//!
//!     zkey-prover circuit.zkey witness.wtns proof.json public.json
//!
//! It reads both files, proves with ark-groth16 on all threads, and writes snarkjs's two JSON files. Standard error gets
//! one line, {"prover": …, "proveMs": …}: what the proof took once both files were read. `--version` says what it is.
mod files;
mod reduction;

use ark_bn254::{Bn254, Fq, Fq2, Fr};
use ark_ff::PrimeField;
use ark_groth16::{Groth16, Proof};
use std::time::Instant;

const NAME: &str = concat!("arkworks ", env!("ARK_GROTH16_VERSION"));

fn main() {
    if let Err(reason) = run(&std::env::args().skip(1).collect::<Vec<_>>()) {
        eprintln!("error: {reason}");
        std::process::exit(1);
    }
}

fn run(arguments: &[String]) -> Result<(), String> {
    if arguments.len() == 1 && arguments[0] == "--version" {
        println!("{NAME}");
        return Ok(());
    }
    let [zkey, wtns, proof_file, public_file] = arguments else {
        return Err("zkey-prover circuit.zkey witness.wtns proof.json public.json".into());
    };
    let read = |path: &str| std::fs::read(path).map_err(|error| format!("{path}: {error}"));
    let key = files::read_zkey(&read(zkey)?).map_err(|reason| format!("{zkey}: {reason}"))?;
    let witness = files::read_wtns(&read(wtns)?).map_err(|reason| format!("{wtns}: {reason}"))?;
    if witness.len() != key.wires {
        return Err(format!("{wtns}: {} values for {} wires", witness.len(), key.wires));
    }
    let started = Instant::now();
    let proof = Groth16::<Bn254, reduction::Snarkjs>::create_proof_with_reduction_and_matrices(
        &key.proving,
        random()?,
        random()?,
        &key.matrices,
        key.public + 1,
        key.rows,
        &witness,
    )
    .map_err(|error| format!("{error}"))?;
    let milliseconds = started.elapsed().as_secs_f64() * 1e3;
    let write = |path: &str, text: String| std::fs::write(path, text).map_err(|error| format!("{path}: {error}"));
    write(proof_file, proof_json(&proof))?;
    let public = witness[1..=key.public].iter().map(|x| format!("\"{}\"", x.into_bigint()));
    write(public_file, format!("[{}]\n", public.collect::<Vec<_>>().join(",")))?;
    eprintln!("{{\"prover\": \"{NAME}\", \"proveMs\": {milliseconds:.3}}}");
    Ok(())
}

/// A scalar of the system's randomness: twice the width of the field, reduced.
fn random() -> Result<Fr, String> {
    use std::io::Read;
    let mut bytes = [0u8; 64];
    let mut source = std::fs::File::open("/dev/urandom").map_err(|error| format!("{error}"))?;
    source.read_exact(&mut bytes).map_err(|error| format!("{error}"))?;
    Ok(Fr::from_le_bytes_mod_order(&bytes))
}

fn proof_json(proof: &Proof<Bn254>) -> String {
    let one = |x: Fq| format!("\"{}\"", x.into_bigint());
    let two = |x: Fq2| format!("[{},{}]", one(x.c0), one(x.c1));
    format!(
        "{{\"pi_a\":[{},{},\"1\"],\"pi_b\":[{},{},[\"1\",\"0\"]],\"pi_c\":[{},{},\"1\"],\"protocol\":\"groth16\",\"curve\":\"bn128\"}}\n",
        one(proof.a.x),
        one(proof.a.y),
        two(proof.b.x),
        two(proof.b.y),
        one(proof.c.x),
        one(proof.c.y)
    )
}
