//! Tests of the module `fourier`: not within it, so that it is compiled once.

use stemseg_numerics::fourier::*;

#[test]
fn there_and_back_multiplies_by_the_length() {
    for length in [12, 35, 97] {
        let values: Vec<f64> = (0..length).map(|x| ((x * x + 3) % 11) as f64).collect();
        let mut complex: Vec<Complex64> = values.iter().map(|&v| v.into()).collect();
        forward(length).process(&mut complex);
        let (mut line, mut waves) = (values.clone(), forward_real(length).make_output_vec());
        forward_real(length).process(&mut line, &mut waves).unwrap();
        assert!(waves.iter().zip(&complex).all(|(a, b)| (a - b).norm() < 1e-11));
        back(length).process(&mut complex);
        let mut again = vec![0.0; length];
        back_real(length).process(&mut waves, &mut again).unwrap();
        let mut single: Vec<Complex32> =
            values.iter().map(|&v| Complex32::new(v as f32, 0.0)).collect();
        forward_single(length).process(&mut single);
        assert!((f64::from(single[0].re) - values.iter().sum::<f64>()).abs() < 1e-3);
        for ((value, a), b) in values.iter().zip(&complex).zip(&again) {
            assert!((a.re / length as f64 - value).abs() < 1e-12);
            assert!((b / length as f64 - value).abs() < 1e-12);
        }
    }
}
