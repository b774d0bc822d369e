<?php
// Laravel's own migrator, hasher and user provider (the packages php-illuminate-database, -hashing and -auth of Debian), without
// the rest of the framework: `ENGINE PORT DATABASE VERB …`.
//
//     migrate                  makes the tables, with UUIDs for keys where KEYS is `uuid`
//     add EMAIL PASSWORD ROLE  stores somebody
//     set EMAIL PASSWORD       sets a password
//     delete EMAIL             deletes somebody softly
//     validate EMAIL PASSWORD  what Auth::validate() says, and whether Laravel would rehash the password at sign-in
//     validate-row EMAIL …     the same with the provider `database` of config/auth.php, which knows no model
declare(strict_types=1);

use Illuminate\Auth\DatabaseUserProvider;
use Illuminate\Auth\EloquentUserProvider;
use Illuminate\Contracts\Auth\Authenticatable;
use Illuminate\Database\Capsule\Manager;
use Illuminate\Database\Eloquent\Model;
use Illuminate\Database\Eloquent\SoftDeletes;
use Illuminate\Database\Migrations\DatabaseMigrationRepository;
use Illuminate\Database\Migrations\Migrator;
use Illuminate\Filesystem\Filesystem;
use Illuminate\Hashing\BcryptHasher;
use Illuminate\Support\Facades\Facade;
use Illuminate\Support\Str;

// This release is older than PHP's deprecations.
error_reporting(E_ALL & ~E_DEPRECATED);
foreach (['Database', 'Auth', 'Hashing', 'Filesystem'] as $part) {
    require_once "Illuminate/$part/autoload.php";
}

[, $engine, $port, $database, $verb] = $argv;
$own = array_slice($argv, 5);
$manager = new Manager();
// As the skeleton's config/database.php has it.
$manager->addConnection([
    'driver' => $engine, 'host' => '127.0.0.1', 'port' => $port, 'database' => $database, 'username' => 'keyturn', 'password' => '',
    'prefix' => '', 'strict' => true,
] + ($engine === 'mysql' ? ['charset' => 'utf8mb4', 'collation' => 'utf8mb4_unicode_ci'] : ['charset' => 'utf8']));
$manager->setAsGlobal();
$manager->bootEloquent();
$manager->getContainer()->instance('db', $manager->getDatabaseManager());
$manager->getContainer()->bind('db.schema', fn () => $manager->schema());
Facade::setFacadeApplication($manager->getContainer());

class User extends Model implements Authenticatable
{
    use \Illuminate\Auth\Authenticatable;
    use SoftDeletes;

    protected $guarded = [];

    public function getIncrementing(): bool
    {
        return getenv('KEYS') !== 'uuid';
    }

    public function getKeyType(): string
    {
        return getenv('KEYS') === 'uuid' ? 'string' : 'int';
    }
}

$hasher = new BcryptHasher(['rounds' => 12]);
$provider = new EloquentUserProvider($hasher, User::class);

switch ($verb) {
    case 'migrate':
        $repository = new DatabaseMigrationRepository($manager->getDatabaseManager(), 'migrations');
        $repository->createRepository();
        (new Migrator($repository, $manager->getDatabaseManager(), new Filesystem()))->run([__DIR__ . '/laravel']);
        break;
    case 'add':
        [$email, $password, $role] = $own;
        $user = new User(['name' => ucfirst(strtok($email, '@')), 'email' => $email, 'password' => $hasher->make($password)]);
        $user->role = $role;
        $user->remember_token = Str::random(60);
        if (!$user->getIncrementing()) {
            $user->id = Str::uuid()->toString();
        }
        $user->save();
        break;
    case 'set':
        $user = $provider->retrieveByCredentials(['email' => $own[0]]);
        $user->update(['password' => $hasher->make($own[1])]);
        break;
    case 'delete':
        $provider->retrieveByCredentials(['email' => $own[0]])->delete();
        break;
    case 'validate':
    case 'validate-row':
        $provider = $verb === 'validate' ? $provider : new DatabaseUserProvider($manager->getConnection(), $hasher, 'users');
        $credentials = ['email' => $own[0], 'password' => $own[1]];
        $user = $provider->retrieveByCredentials($credentials);
        echo $user && $provider->validateCredentials($user, $credentials) ? 'accepted' : 'rejected';
        echo $user && $hasher->needsRehash($user->getAuthPassword()) ? ', rehashed' : '';
}
