//! Hands the version of ark-groth16, as Cargo.lock has it, to the program, which says it.
fn main() {
    println!("cargo:rerun-if-changed=Cargo.lock");
    let lock = std::fs::read_to_string("Cargo.lock").expect("Cargo.lock");
    let entry = lock.split("[[package]]").find(|entry| entry.contains("name = \"ark-groth16\"")).expect("ark-groth16");
    let version = entry.split("version = \"").nth(1).and_then(|rest| rest.split('"').next()).expect("its version");
    println!("cargo:rustc-env=ARK_GROTH16_VERSION={version}");
}
