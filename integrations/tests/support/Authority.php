<?php

declare(strict_types=1);

/** A certificate authority of our own, and certificates of it, in a folder that goes with the process. */
final class Authority
{
    public string $caFile;
    private string $folder;
    /** @var OpenSSLAsymmetricKey|resource */
    private $key;
    /** @var OpenSSLCertificate|resource */
    private $certificate;

    public function __construct()
    {
        $this->folder = sys_get_temp_dir() . '/keyturn-' . bin2hex(random_bytes(8));
        mkdir($this->folder, 0700);
        $folder = $this->folder;
        register_shutdown_function(static function () use ($folder): void {
            exec('rm -rf ' . escapeshellarg($folder));
        });
        $config = "[req]\ndistinguished_name = name\n[name]\n[ca]\nbasicConstraints = critical,CA:TRUE\n"
            . "keyUsage = critical,keyCertSign\nsubjectKeyIdentifier = hash\n";
        file_put_contents($this->folder . '/ca.cnf', $config);
        $this->key = self::newKey();
        $options = ['config' => $this->folder . '/ca.cnf', 'x509_extensions' => 'ca', 'digest_alg' => 'sha256'];
        $request = openssl_csr_new(['commonName' => 'Keyturn test authority'], $this->key, $options);
        $this->certificate = openssl_csr_sign($request, null, $this->key, 2, $options, 1);
        $this->caFile = $this->folder . '/ca.pem';
        openssl_x509_export_to_file($this->certificate, $this->caFile);
    }

    /** @param string $name As in a certificate: `IP:127.0.0.1`, `DNS:panel.example`. @return string A PEM file with key. */
    public function certificate(string $name): string
    {
        $file = $this->folder . '/' . bin2hex(random_bytes(4));
        $config = "[req]\ndistinguished_name = name\n[name]\n[leaf]\nsubjectAltName = $name\nbasicConstraints = CA:FALSE\n";
        file_put_contents($file . '.cnf', $config);
        $key = self::newKey();
        $options = ['config' => $file . '.cnf', 'x509_extensions' => 'leaf', 'digest_alg' => 'sha256'];
        $request = openssl_csr_new(['commonName' => 'Keyturn test host'], $key, $options);
        $certificate = openssl_csr_sign($request, $this->certificate, $this->key, 2, $options, random_int(2, 1 << 30));
        openssl_x509_export($certificate, $pem);
        openssl_pkey_export($key, $keyPem, null, ['config' => $file . '.cnf']);
        file_put_contents($file . '.pem', $pem . $keyPem);
        return $file . '.pem';
    }

    /** @return OpenSSLAsymmetricKey|resource */
    private static function newKey()
    {
        return openssl_pkey_new(['private_key_type' => OPENSSL_KEYTYPE_EC, 'curve_name' => 'prime256v1']);
    }
}
