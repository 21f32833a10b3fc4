//! The quotient as keys of snarkjs want it. Their points for it are Lagrange polynomials of the odd places of the domain of
//! twice the size, so what a proof needs are the values of A·B − C there: with ω of order 2n, at ω^(2k+1). C is A·B on the
//! domain itself, so no matrix of its own is needed.
use ark_ff::PrimeField;
use ark_groth16::r1cs_to_qap::{evaluate_constraint, R1CSToQAP};
use ark_poly::EvaluationDomain;
use ark_relations::gr1cs::{ConstraintSystemRef, Matrix, Result, SynthesisError};
use rayon::prelude::*;

pub struct Snarkjs;

impl R1CSToQAP for Snarkjs {
    fn witness_map_from_matrices<F: PrimeField, D: EvaluationDomain<F>>(
        matrices: &[Matrix<F>],
        inputs: usize,
        rows: usize,
        witness: &[F],
    ) -> Result<Vec<F>> {
        let domain = D::new(rows + inputs).ok_or(SynthesisError::PolynomialDegreeTooLarge)?;
        let root = F::get_root_of_unity(2 * domain.size() as u64).ok_or(SynthesisError::PolynomialDegreeTooLarge)?;
        let odd = domain.get_coset(root).ok_or(SynthesisError::PolynomialDegreeTooLarge)?;
        let on_rows = |matrix: &Matrix<F>| {
            let mut values: Vec<F> = matrix.par_iter().map(|row| evaluate_constraint(row, witness)).collect();
            values.resize(domain.size(), F::zero());
            values
        };
        // the matrices of a .zkey have the rows of the public wires already
        let (mut a, mut b) = (on_rows(&matrices[0]), on_rows(&matrices[1]));
        let mut c: Vec<F> = a.par_iter().zip(&b).map(|(a, b)| *a * b).collect();
        for values in [&mut a, &mut b, &mut c] {
            domain.ifft_in_place(values);
            odd.fft_in_place(values);
        }
        a.par_iter_mut().zip(b).zip(c).for_each(|((a, b), c)| *a = *a * b - c);
        Ok(a)
    }

    fn instance_map_with_evaluation<F: PrimeField, D: EvaluationDomain<F>>(
        _: ConstraintSystemRef<F>,
        _: &F,
    ) -> Result<(Vec<F>, Vec<F>, Vec<F>, F, usize, usize)> {
        unreachable!("keys are snarkjs's")
    }

    fn h_query_scalars<F: PrimeField, D: EvaluationDomain<F>>(_: usize, _: F, _: F, _: F) -> Result<Vec<F>> {
        unreachable!("keys are snarkjs's")
    }
}
