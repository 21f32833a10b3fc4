//! Files of snarkjs: the iden3 container (four letters, version, number of sections; per section its number, length and
//! content, little endian), the `.zkey` of Groth16 and the `.wtns`. Points are affine in Montgomery form, infinity is zeros;
//! coefficients of a `.zkey` are times 2^512. Points are not checked to be on the curve: this measures, it does not distrust.
use ark_bn254::{Bn254, Fq, Fq2, Fr, G1Affine, G2Affine};
use ark_ff::{AdditiveGroup, BigInt, PrimeField};
use ark_groth16::{ProvingKey, VerifyingKey};
use ark_relations::gr1cs::Matrix;
use rayon::prelude::*;
use std::collections::HashMap;

type Result<T> = std::result::Result<T, String>;

pub struct Key {
    pub proving: ProvingKey<Bn254>,
    /// A and B; a key has no C.
    pub matrices: Vec<Matrix<Fr>>,
    pub wires: usize,
    pub public: usize,
    /// Rows of the constraints, without those of the public wires.
    pub rows: usize,
}

/// Bytes that are read from the front.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn bytes(&mut self, count: usize) -> Result<&'a [u8]> {
        if count > self.0.len() {
            return Err("is cut short".into());
        }
        let (taken, left) = self.0.split_at(count);
        self.0 = left;
        Ok(taken)
    }
    fn u32(&mut self) -> Result<usize> {
        Ok(u32::from_le_bytes(self.bytes(4)?.try_into().unwrap()) as usize)
    }
    fn u64(&mut self) -> Result<usize> {
        Ok(u64::from_le_bytes(self.bytes(8)?.try_into().unwrap()) as usize)
    }
}

fn sections<'a>(file: &'a [u8], kind: &[u8; 4]) -> Result<HashMap<usize, &'a [u8]>> {
    let mut reader = Reader(file);
    if reader.bytes(4)? != kind {
        return Err(format!("is no .{} file", String::from_utf8_lossy(kind)));
    }
    reader.u32()?;
    let count = reader.u32()?;
    let mut found = HashMap::new();
    for _ in 0..count {
        let (id, length) = (reader.u32()?, reader.u64()?);
        found.insert(id, reader.bytes(length)?);
    }
    Ok(found)
}

fn limbs(bytes: &[u8]) -> BigInt<4> {
    let mut limbs = [0u64; 4];
    for (limb, part) in limbs.iter_mut().zip(bytes.chunks_exact(8)) {
        *limb = u64::from_le_bytes(part.try_into().unwrap());
    }
    BigInt(limbs)
}

/// A coordinate, whose bytes are its Montgomery form.
fn coordinate(bytes: &[u8]) -> Fq {
    Fq::new_unchecked(limbs(bytes))
}

fn g1(bytes: &[u8]) -> G1Affine {
    let (x, y) = (coordinate(&bytes[..32]), coordinate(&bytes[32..64]));
    if x == Fq::ZERO && y == Fq::ZERO {
        return G1Affine::identity();
    }
    G1Affine::new_unchecked(x, y)
}

fn g2(bytes: &[u8]) -> G2Affine {
    let at = |i: usize| coordinate(&bytes[32 * i..32 * i + 32]);
    let (x, y) = (Fq2::new(at(0), at(1)), Fq2::new(at(2), at(3)));
    if x == Fq2::ZERO && y == Fq2::ZERO {
        return G2Affine::identity();
    }
    G2Affine::new_unchecked(x, y)
}

fn g1s(bytes: &[u8]) -> Vec<G1Affine> {
    bytes.par_chunks_exact(64).map(g1).collect()
}

fn g2s(bytes: &[u8]) -> Vec<G2Affine> {
    bytes.par_chunks_exact(128).map(g2).collect()
}

pub fn read_zkey(file: &[u8]) -> Result<Key> {
    let all = sections(file, b"zkey")?;
    let section = |id: usize| all.get(&id).copied().ok_or(format!("section {id} is missing"));
    if Reader(section(1)?).u32()? != 1 {
        return Err("is of another proof system than Groth16".into());
    }
    let mut header = Reader(section(2)?);
    for modulus in [Fq::MODULUS, Fr::MODULUS] {
        if header.u32()? != 32 || limbs(header.bytes(32)?) != modulus {
            return Err("is of another curve than bn254".into());
        }
    }
    let (wires, public, domain) = (header.u32()?, header.u32()?, header.u32()?);
    let alpha_g1 = g1(header.bytes(64)?);
    let beta_g1 = g1(header.bytes(64)?);
    let beta_g2 = g2(header.bytes(128)?);
    let gamma_g2 = g2(header.bytes(128)?);
    let delta_g1 = g1(header.bytes(64)?);
    let delta_g2 = g2(header.bytes(128)?);
    let vk = VerifyingKey { alpha_g1, beta_g2, gamma_g2, delta_g2, gamma_abc_g1: g1s(section(3)?) };
    let proving = ProvingKey {
        vk,
        beta_g1,
        delta_g1,
        a_query: g1s(section(5)?),
        b_g1_query: g1s(section(6)?),
        b_g2_query: g2s(section(7)?),
        l_query: g1s(section(8)?),
        h_query: g1s(section(9)?),
    };
    let counts = [proving.a_query.len(), proving.b_g1_query.len(), proving.b_g2_query.len(), public + 1 + proving.l_query.len()];
    if public >= wires || counts.iter().any(|count| *count != wires) || proving.h_query.len() != domain {
        return Err("its sections do not fit its header".into());
    }
    let (matrices, rows) = coefficients(section(4)?, wires, domain)?;
    let rows = rows.checked_sub(public + 1).ok_or("has no rows")?;
    Ok(Key { proving, matrices, wires, public, rows })
}

/// Section 4: matrix, row, wire and coefficient of every non-zero of A and B, the rows of the public wires at the end.
fn coefficients(bytes: &[u8], wires: usize, domain: usize) -> Result<(Vec<Matrix<Fr>>, usize)> {
    let mut reader = Reader(bytes);
    let count = reader.u32()?;
    let mut matrices: Vec<Matrix<Fr>> = vec![vec![Vec::new(); domain]; 2];
    let mut rows = 0;
    for _ in 0..count {
        let (matrix, row, wire) = (reader.u32()?, reader.u32()?, reader.u32()?);
        // the bytes are x·2^512: read as a Montgomery form they are x·2^256, of which one more reduction is x
        let twice = Fr::new_unchecked(limbs(reader.bytes(32)?));
        let value = Fr::new_unchecked(twice.into_bigint());
        if matrix > 1 || row >= domain || wire >= wires {
            return Err("a coefficient is outside of the matrices".into());
        }
        matrices[matrix][row].push((value, wire));
        rows = rows.max(row + 1);
    }
    for matrix in &mut matrices {
        matrix.truncate(rows);
    }
    Ok((matrices, rows))
}

pub fn read_wtns(file: &[u8]) -> Result<Vec<Fr>> {
    let all = sections(file, b"wtns")?;
    let section = |id: usize| all.get(&id).copied().ok_or(format!("section {id} is missing"));
    let mut header = Reader(section(1)?);
    if header.u32()? != 32 || limbs(header.bytes(32)?) != Fr::MODULUS {
        return Err("is of another field".into());
    }
    if section(2)?.len() != 32 * header.u32()? {
        return Err("is cut short".into());
    }
    let value = |bytes: &[u8]| Fr::from_bigint(limbs(bytes)).ok_or("a value is not reduced".to_string());
    section(2)?.par_chunks_exact(32).map(value).collect()
}
