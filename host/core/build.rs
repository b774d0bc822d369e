fn main() {
    keyturn_words::build::catalogue("src/words");
}
