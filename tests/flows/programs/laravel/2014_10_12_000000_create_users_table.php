<?php

use Illuminate\Database\Migrations\Migration;
use Illuminate\Database\Schema\Blueprint;
use Illuminate\Support\Facades\Schema;

/** The skeleton's tables users and sessions, with a role of the project's own and soft deletes; KEYS=uuid: with UUIDs for keys. */
class CreateUsersTable extends Migration
{
    public function up(): void
    {
        Schema::create('users', function (Blueprint $table) {
            getenv('KEYS') === 'uuid' ? $table->uuid('id')->primary() : $table->id();
            $table->string('name');
            $table->string('email')->unique();
            $table->timestamp('email_verified_at')->nullable();
            $table->string('password');
            $table->string('role')->default('customer');
            $table->rememberToken();
            $table->timestamps();
            $table->softDeletes();
        });
        Schema::create('sessions', function (Blueprint $table) {
            $table->string('id')->primary();
            (getenv('KEYS') === 'uuid' ? $table->foreignUuid('user_id') : $table->foreignId('user_id'))->nullable()->index();
            $table->string('ip_address', 45)->nullable();
            $table->text('user_agent')->nullable();
            $table->text('payload');
            $table->integer('last_activity')->index();
        });
    }
}
